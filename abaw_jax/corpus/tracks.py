"""Tracks: one subject of one video, its rows, clock, labels, masks and images; and the corpus of them all.

Label rows (or the rows of the organisers' sample file) are the only authority on a track's length; the
container's frame count differs by up to three either way and is only compared.
"""

import dataclasses
import re
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from abaw_jax.corpus.annotations import Labels
from abaw_jax.corpus.containers import VideoFacts, row_times
from abaw_jax.problems import Problem

SUBJECT = re.compile(r"_(?:left|right)$")
IMAGE_KINDS = ("cropped_aligned", "cropped", "images")
"""Folders of faces, the preferred first."""

SplitKey = tuple[str, int | None, str]
"""(task, edition, split)"""


def video_stem(track: str) -> str:
    """The video that a track was cut from: `video10_1_left` ▶ `video10_1`."""
    return SUBJECT.sub("", track)


@dataclasses.dataclass(frozen=True)
class Track:
    """One subject of one video. Row k (counting from 1) belongs to image `{k:05d}.jpg`."""

    name: str
    rows: int
    labels: dict[tuple[str, int | None], Labels]
    images: dict[str, Bool[np.ndarray, " t"]]
    """For each kind of crops, which rows have one."""
    image_folders: dict[str, str]
    video_path: str | None = None
    sound_path: str | None = None
    facts: VideoFacts | None = None

    @property
    def video(self) -> str:
        """The stem that both subjects of a video share: folds group by it."""
        return video_stem(self.name)

    @property
    def fps(self) -> float | None:
        """Rows a second, from the container; None where no video and no table of rates was found."""
        return self.facts.fps if self.facts else None

    @property
    def times_s(self) -> Float[np.ndarray, " t"] | None:
        """When each row is shown, in seconds of the container."""
        return row_times(self.facts, self.rows)

    def has_image(self, kind: str | None = None) -> Bool[np.ndarray, " t"]:
        """Which rows have a crop, of the preferred kind unless one is named."""
        kinds = (kind,) if kind else IMAGE_KINDS
        return next((self.images[k] for k in kinds if k in self.images), np.zeros(self.rows, bool))

    def editions(self, task: str) -> tuple[int | None, ...]:
        """The editions whose labels this track has for `task`, newest first."""
        return tuple(sorted((e for t, e in self.labels if t == task), key=lambda e: e or 0, reverse=True))

    def labels_for(self, task: str, edition: int | None = None) -> Labels | None:
        """Labels and masks for `task`, of the newest edition unless one is named; None without any."""
        editions = self.editions(task) if edition is None else (edition,)
        return self.labels.get((task, editions[0])) if editions else None


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Everything below one root that a run can name."""

    root: Path
    tracks: dict[str, Track]
    splits: dict[SplitKey, tuple[str, ...]]
    samples: dict[SplitKey, str]
    """The organisers' sample file of each test split, relative to the root."""
    listed: dict[SplitKey, int]
    """Images that sparse test lists (MTL) name: what is scored there, not every row."""
    stills: dict[str, int]
    """LSD lists, relative to the root, and how many images each names."""
    problems: tuple[Problem, ...]

    def edition(self, task: str, split: str) -> int | None:
        """The newest edition in which `task` has this split. A missing split is an error with those there."""
        editions = [e for t, e, s in self.splits if (t, s) == (task, split)]
        if not editions:
            there = ", ".join(sorted(f"{t}/{s}" for t, _, s in self.splits)) or "none"
            raise KeyError(f"{self.root} has no {split} split for {task}; splits found: {there}")
        return max(editions, key=lambda e: e or 0)

    def split(self, task: str, split: str, edition: int | None = None) -> list[Track]:
        """The tracks of one split, of the newest edition unless one is named."""
        edition = self.edition(task, split) if edition is None else edition
        if (task, edition, split) not in self.splits:
            there = sorted(str(e) for t, e, s in self.splits if (t, s) == (task, split))
            raise KeyError(
                f"{self.root} has no {split} split for {task} in edition {edition}; there: {', '.join(there)}"
            )
        return [self.tracks[name] for name in self.splits[task, edition, split]]
