"""Everything that `abaw check` finds out about a root, as data."""

import dataclasses
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from abaw_jax.corpus.splits import Leak, all_leaks
from abaw_jax.corpus.tracks import Corpus, SplitKey, Track
from abaw_jax.labels import official_count
from abaw_jax.problems import Problem, shorten
from abaw_jax.progress import OnProgress, silent

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
TAIL_BYTES = 64
"""Some writers pad a JPEG behind its end marker."""
IMAGES_AT_ONCE = 512


@dataclasses.dataclass(frozen=True)
class SplitCount:
    """One line of the table: what a split holds, and what the organisers' own holds."""

    task: str
    edition: int | None
    split: str
    tracks: int
    rows: int
    valid: int | None
    without_image: int
    official_tracks: int | None
    official_rows: int | None
    official_valid: int | None

    @property
    def agrees(self) -> bool:
        """Whether every count that a source gives for this split is met."""
        pairs = (
            (self.tracks, self.official_tracks),
            (self.rows, self.official_rows),
            (self.valid, self.official_valid),
        )
        return all(
            found == official for found, official in pairs if official is not None and found is not None
        )


@dataclasses.dataclass(frozen=True)
class Report:
    """What a person acts on."""

    root: Path
    tracks: int
    splits: tuple[SplitCount, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    leaks: tuple[Leak, ...]
    stills: dict[str, int]

    @property
    def exit_code(self) -> int:
        """0 clean, 1 with problems that were skipped, 2 where there is nothing to work with."""
        return 2 if not (self.tracks or self.stills) else 1 if self.problems else 0

    def as_dict(self) -> dict:
        """For machines."""
        return {
            "root": str(self.root),
            "exit_code": self.exit_code,
            "tracks": self.tracks,
            "splits": [dataclasses.asdict(split) | {"agrees": split.agrees} for split in self.splits],
            "problems": [dataclasses.asdict(problem) for problem in self.problems],
            "notes": [dataclasses.asdict(note) for note in self.notes],
            "stills": self.stills,
            "leaks": [dataclasses.asdict(leak) for leak in self.leaks],
        }


def check(corpus: Corpus, with_images: bool = True, on_progress: OnProgress = silent) -> Report:
    """Count every split and, unless told not to, look at every image."""
    found = list(corpus.problems)
    if with_images:
        found += image_problems(corpus, on_progress)
    return Report(
        corpus.root,
        len(corpus.tracks),
        tuple(count_split(corpus, key) for key in corpus.splits),
        tuple(problem for problem in found if problem.level == "problem"),
        tuple(problem for problem in found if problem.level == "note"),
        all_leaks(corpus),
        corpus.stills,
    )


def count_split(corpus: Corpus, key: SplitKey) -> SplitCount:
    """Tracks, rows, valid rows and rows without image of one split."""
    task, edition, split = key
    listed, valid, without = 0, 0, 0
    for track in (corpus.tracks[name] for name in corpus.splits[key]):
        rows, good = _rows(track, task, edition)
        listed += int(rows.sum())
        valid += int(good.sum())
        without += int((rows & ~track.has_image()).sum()) if track.images else 0
    is_labelled = any((task, edition) in corpus.tracks[name].labels for name in corpus.splits[key])
    listed = corpus.listed.get(key, listed)
    counts = official_count(task, edition, split)
    tracks = len(corpus.splits[key])
    return SplitCount(task, edition, split, tracks, listed, valid if is_labelled else None, without, *counts)


def _rows(track: Track, task: str, edition: int | None) -> tuple[np.ndarray, np.ndarray]:
    """(rows that count, rows with a whole label). MTL files are sparse: only rows with any label count."""
    labels = track.labels.get((task, edition))
    every = np.ones(track.rows, bool)
    if labels is None:
        return every, ~every
    if task == "mtl":
        parts = [labels["va_mask"], labels["expr_mask"], labels["au_mask"].all(axis=1)]
        return np.logical_or.reduce(parts), np.logical_and.reduce(parts)
    mask = labels[f"{task}_mask"]
    return every, mask if mask.ndim == 1 else mask.all(axis=1)


def image_problems(corpus: Corpus, on_progress: OnProgress) -> list[Problem]:
    """Images that no decoder would read to the end."""
    paths = [
        f"{folder}/{row + 1:05d}.jpg"
        for track in corpus.tracks.values()
        for kind, folder in track.image_folders.items()
        for row in np.flatnonzero(track.images[kind])
    ]
    groups = [paths[start : start + IMAGES_AT_ONCE] for start in range(0, len(paths), IMAGES_AT_ONCE)]
    problems, done = [], 0
    with ThreadPoolExecutor() as pool:
        for group, found in zip(
            groups, pool.map(lambda group: list(_broken(corpus.root, group)), groups), strict=True
        ):
            done += len(group)
            problems += found
            on_progress("images", done, len(paths))
    return problems


def _broken(root: Path, paths: Iterable[str]) -> Iterator[Problem]:
    for path in paths:
        place = str(root / path)
        try:
            if not _looks_whole(place):
                with Image.open(place) as image:
                    image.load()
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            yield Problem(place, None, "broken image", shorten(str(error)), "a whole JPEG")


def _looks_whole(path: str) -> bool:
    """Both markers stand where they should: two short reads instead of a decode."""
    with open(path, "rb") as file:  # noqa: PTH123 - three million of them
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if file.read(2) != JPEG_START:
            return False
        file.seek(max(2, size - TAIL_BYTES))
        return JPEG_END in file.read()
