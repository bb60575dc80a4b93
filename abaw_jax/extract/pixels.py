"""One pass over the pixels for every stream of faces: read, cut, resize in threads; encode in batches.

An image is decoded once, however many encoders look at it.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from abaw_jax.corpus.tracks import Track
from abaw_jax.extract.batches import Batcher
from abaw_jax.extract.filling import Filling
from abaw_jax.extract.meter import Meter
from abaw_jax.extract.sources import Crops, digest_of
from abaw_jax.extract.streams import Stream
from abaw_jax.media.images import read_image
from abaw_jax.media.threads import ordered_map
from abaw_jax.problems import Problem, UnusableFile

Pixels = np.ndarray


@dataclasses.dataclass
class Subject:
    """One track with the streams that still want it."""

    track: Track
    fillings: list[Filling]
    skipped: list[Problem] = dataclasses.field(default_factory=list)

    def wants(self, row: int) -> bool:
        """Whether any stream has this row on its grid."""
        return any(filling.wants(row) for filling in self.fillings)

    def saw(self, row: int, digest: str) -> None:
        """A row's file was read, whatever was in it."""
        for filling in self.fillings:
            if filling.wants(row):
                filling.content.add(row, digest)

    def row_notes(self) -> list[str]:
        """Why rows are masked though there was something to look at."""
        return [note_of(problem) for problem in self.skipped]


def note_of(problem: Problem) -> str:
    """For a manifest, which outlives the place of a corpus: the file's name alone."""
    return str(dataclasses.replace(problem, path=Path(problem.path).name))


@dataclasses.dataclass(frozen=True)
class Look:
    """A row of a subject, and how to get its pixels."""

    subject: Subject
    row: int
    path: Path | None = None
    crop: Pixels | None = None

    def prepared(self) -> tuple[str, list[tuple[Filling, np.ndarray]] | Problem]:
        """Runs in a thread: (digest of the file, the input of every encoder that wants this row)."""
        digest = digest_of(self.path) if self.path else ""
        try:
            image = self.crop if self.path is None else read_image(self.path)
        except UnusableFile as error:
            return digest, error.problem
        wanting = [filling for filling in self.subject.fillings if filling.wants(self.row)]
        return digest, [(filling, filling.stream.encoder.preprocess(image)) for filling in wanting]


def open_subject(track: Track, streams: list[Stream], batchers: dict[str, Batcher]) -> Subject:
    """The track's files in the store, begun."""
    fillings = [
        Filling(stream, batchers[stream.name], track.name, stream.spec.grid.rows(track.rows, track.fps))
        for stream in streams
    ]
    return Subject(track, fillings)


def looks_of_crops(subject: Subject, crops: Crops | None) -> Iterator[Look]:
    """Every row that has an image and is on anybody's grid."""
    for row in crops.rows.tolist() if crops else ():
        if subject.wants(row):
            yield Look(subject, row, path=crops.path(row))


def encode(
    looks: Iterator[Look | Callable[[], None]],
    threads: int,
    ahead: int,
    meter: Meter,
    on_problem: Callable[[Problem], None],
) -> None:
    """Take looks in their order; what stands between them is done in its place."""

    def prepare(item: Look | Callable[[], None]) -> Any:
        return item.prepared() if isinstance(item, Look) else None

    for item, result in ordered_map(prepare, looks, threads, ahead):
        if not isinstance(item, Look):
            item()
            continue
        digest, found = result
        item.subject.saw(item.row, digest)
        if isinstance(found, Problem):
            item.subject.skipped.append(found)
            on_problem(found)
        else:
            for filling, x in found:
                filling.put(item.row, x)
        meter.add()
