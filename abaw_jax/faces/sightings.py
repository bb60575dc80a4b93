"""The sightings of a whole video, kept in a file that vanishes: memory does not grow with its length."""

import tempfile
from collections.abc import Iterable, Sequence
from typing import BinaryIO

import numpy as np

from abaw_jax.faces.detection import Faces
from abaw_jax.faces.follow import Sighting

FRAME = np.dtype(
    [("index", "i8"), ("time_s", "f8"), ("shot", "i8"), ("width_px", "i8"), ("was_searched", "?"),
     ("first", "i8"), ("count", "i8")]
)  # fmt: skip
FACE = np.dtype([("box", "f8", 4), ("score", "f8"), ("landmarks", "f8", (5, 2)), ("id", "i8")])


class Sightings(Sequence[Sighting]):
    """Reads like a list of them."""

    def __init__(self) -> None:
        self._frames: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  closed by __exit__
        self._faces: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
        self._count = 0

    def __enter__(self) -> "Sightings":
        return self

    def __exit__(self, *_: object) -> None:
        self._frames.close()
        self._faces.close()

    def extend(self, sightings: Iterable[Sighting]) -> None:
        """Keep them, in their order."""
        for s in sightings:
            first = self._faces.tell() // FACE.itemsize
            row = (s.index, s.time_s, s.shot, s.width_px, s.was_searched, first, len(s.faces))
            self._frames.write(np.array(row, FRAME).tobytes())
            self._faces.write(_as_records(s).tobytes())
            self._count += 1

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Sighting:
        if not -self._count <= number < self._count:
            raise IndexError(number)
        row = _read(self._frames, FRAME, number % self._count, 1)[0]
        found = _read(self._faces, FACE, int(row["first"]), int(row["count"]))
        faces = Faces(found["box"], found["score"], found["landmarks"])
        return Sighting(
            int(row["index"]), float(row["time_s"]), int(row["shot"]), int(row["width_px"]),
            bool(row["was_searched"]), faces, found["id"],
        )  # fmt: skip


def _as_records(sighting: Sighting) -> np.ndarray:
    records = np.zeros(len(sighting.faces), FACE)
    records["box"], records["score"] = sighting.faces.boxes, sighting.faces.scores
    records["landmarks"], records["id"] = sighting.faces.landmarks, sighting.ids
    return records


def _read(file: BinaryIO, dtype: np.dtype, first: int, count: int) -> np.ndarray:
    file.seek(first * dtype.itemsize)
    return np.frombuffer(file.read(count * dtype.itemsize), dtype)
