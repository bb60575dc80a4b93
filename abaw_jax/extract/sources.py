"""Where a track's pixels and sound lie, and by what a change of them is noticed.

`content` is a digest of every byte that was read; `stamp` one of the files' sizes and times, which spares
reading them again where nothing has changed.
"""

import dataclasses
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from abaw_jax.corpus.tracks import IMAGE_KINDS, Corpus, Track

NOTHING = {"kind": "nothing"}
BLOCK_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Crops:
    """One folder of `{k:05d}.jpg`."""

    folder: Path
    place: str
    """Relative to the corpus."""
    rows: Int[np.ndarray, " n"]
    """Those that have an image."""

    def path(self, row: int) -> Path:
        return self.folder / f"{row:05d}.jpg"

    def stamp(self, rows: Iterable[int]) -> str:
        """Of the images of these rows."""
        return stamp_of(self.path(row) for row in rows)

    def content(self, rows: Iterable[int]) -> str:
        """Read again what was read then."""
        return fold((row, digest_of(self.path(row))) for row in rows)


def crops_of(corpus: Corpus, track: Track, kind: str | None) -> Crops | None:
    """The crops of a track, of the preferred kind unless one is named."""
    kinds = (kind,) if kind else IMAGE_KINDS
    found = next((k for k in kinds if k in track.image_folders), None)
    if found is None:
        return None
    place = track.image_folders[found]
    return Crops(corpus.root / place, place, 1 + np.flatnonzero(track.images[found]))


def sound_of(corpus: Corpus, track: Track) -> tuple[Path, str, float | None] | None:
    """(path, place, when its first sample is) of a track's sound.

    A sound file cut from a video has lost the start of its stream, which the video's container still knows.
    """
    if track.sound_path:
        start_s = track.facts.audio_start_s if track.facts else None
        return corpus.root / track.sound_path, track.sound_path, start_s or 0.0
    if track.video_path:
        return corpus.root / track.video_path, track.video_path, None
    return None


def made_from_file(kind: str, path: Path, place: str, **more: Any) -> dict[str, Any]:
    """What a manifest says of one file."""
    return {"kind": kind, "file": place, **more, "content": digest_of(path), "stamp": stamp_of([path])}


class Fold:
    """One digest of many, each with its row, taken as they come."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256()

    def add(self, row: int, digest: str) -> None:
        """The next one."""
        self._whole.update(f"{row}:{digest}\n".encode())

    def hexdigest(self) -> str:
        """Of all so far."""
        return self._whole.hexdigest()


def fold(digests: Iterable[tuple[int, str]]) -> str:
    """One digest of many."""
    whole = Fold()
    for row, digest in digests:
        whole.add(row, digest)
    return whole.hexdigest()


def digest_of(path: Path) -> str:
    """Of a file's bytes; one that cannot be read has a digest too, or its track would never be current."""
    whole = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                whole.update(block)
    except OSError:
        return "unreadable"
    return whole.hexdigest()


def stamp_of(paths: Iterable[Path]) -> str:
    """Of sizes and times of modification."""
    whole = hashlib.sha256()
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            whole.update(b"absent\n")
            continue
        whole.update(f"{status.st_size}:{status.st_mtime_ns}\n".encode())
    return whole.hexdigest()
