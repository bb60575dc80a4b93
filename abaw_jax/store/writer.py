"""Writing one track: vectors appended in order under a temporary name, renamed when the last one is there.

Appending, not mapping, so that memory stays flat whatever a track's length. The manifest is renamed last and
is what makes a track count: a killed job loses one track at most.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from abaw_jax.store.spec import DTYPES, STORED_AS, FeatureSpec, check_name

FORMAT = 1
"""Of the manifest."""


class TrackWriter:
    """Takes exactly `vectors` vectors, or says how many it was given."""

    def __init__(self, folder: Path, spec: FeatureSpec, track: str, vectors: int) -> None:
        self.spec, self.track, self.vectors = spec, check_name(track), vectors
        self._final = folder / f"{track}.npy"
        self._path = folder / f".{track}.{os.getpid()}.tmp"
        self._hash = hashlib.sha256()
        self._file = self._path.open("wb")
        self._present: list[list[int]] = []
        self.written = 0
        self._put(_npy_header((vectors, *spec.shape), STORED_AS[spec.dtype]))

    def append(self, values: np.ndarray) -> None:
        """The next vectors, `[k, *shape]` of any float dtype."""
        if values.shape[1:] != self.spec.shape:
            raise ValueError(f"{self.track}: found vectors {values.shape[1:]}, expected {self.spec.shape}")
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(values.astype(DTYPES[self.spec.dtype]))
        if not np.isfinite(stored.astype(np.float32)).all():
            largest = np.abs(values.astype(np.float64)).max()
            raise ValueError(
                f"{self.track}: vector {self.written + 1} on: found values up to {largest:g}, "
                f"expected finite {self.spec.dtype}; store them as bfloat16 or float32"
            )
        self._mark(len(values))
        self._put(stored.view(STORED_AS[self.spec.dtype]).tobytes())

    def skip(self, count: int) -> None:
        """The next vectors are not there: zeros under a mask."""
        self._check_room(count)
        empty = bytes(self.spec.bytes_a_vector)
        for _ in range(count):
            self._put(empty)
        self.written += count

    def commit(self, made_from: Mapping[str, Any], **notes: Any) -> None:
        """All vectors are there: under their own name, with the manifest of what they were made from."""
        if self.written != self.vectors:
            self.abandon()
            raise ValueError(f"{self.track}: found {self.written} vectors, expected {self.vectors}")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        manifest = {
            "format": FORMAT,
            "track": self.track,
            "vectors": self.vectors,
            "present": self._present,
            "sha256": self._hash.hexdigest(),
            "made_from": dict(made_from),
            **notes,
        }
        self._path.replace(self._final)
        write_json(self._final.with_name(f"{self.track}.json"), manifest)

    @property
    def is_closed(self) -> bool:
        """Whether it is over, one way or the other."""
        return self._file.closed

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> "TrackWriter":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self.is_closed:
            self.abandon()

    def _put(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)

    def _mark(self, count: int) -> None:
        self._check_room(count)
        if self._present and self._present[-1][1] == self.written:
            self._present[-1][1] += count
        elif count:
            self._present.append([self.written, self.written + count])
        self.written += count

    def _check_room(self, count: int) -> None:
        if self.written + count > self.vectors:
            raise ValueError(f"{self.track}: found vector {self.written + count}, expected {self.vectors}")


def _npy_header(shape: tuple[int, ...], dtype: Any) -> bytes:
    import io

    header = io.BytesIO()
    fields = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, fields)
    return header.getvalue()


def write_json(path: Path, entries: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(entries, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
