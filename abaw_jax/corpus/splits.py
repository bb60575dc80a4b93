"""Folds that never cut a video in two, and the videos that leak from one task's split into another's."""

import dataclasses
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from abaw_jax.corpus.tracks import Corpus, SplitKey, Track, video_stem


def folds(tracks: Sequence[Track], count: int, seed: int = 0) -> tuple[tuple[Track, ...], ...]:
    """`count` disjoint groups of tracks, balanced by rows; both subjects of a video fall into the same one.

    The official EXPR split itself is not disjoint by video, so folds are made of videos, not of tracks.
    """
    by_video: dict[str, list[Track]] = defaultdict(list)
    for track in sorted(tracks, key=lambda track: track.name):
        by_video[track.video].append(track)
    if len(by_video) < count:
        raise ValueError(
            f"{len(by_video)} videos cannot make {count} folds; expected at least one video a fold"
        )
    videos = list(by_video)
    rows = [sum(track.rows for track in by_video[video]) for video in videos]
    # long videos first, so that short ones even out; not strictly, or the seed would have no say
    rank = np.array(rows) * np.random.default_rng(seed).lognormal(0, 0.3, len(videos))
    filled: list[list[Track]] = [[] for _ in range(count)]
    load = [0] * count
    for index in np.argsort(-rank, kind="stable").tolist():
        lightest = min(range(count), key=lambda fold: (load[fold], len(filled[fold])))
        filled[lightest] += by_video[videos[index]]
        load[lightest] += rows[index]
    return tuple(tuple(sorted(fold, key=lambda track: track.name)) for fold in filled)


@dataclasses.dataclass(frozen=True)
class Leak:
    """A video that one split trains on and another is scored on."""

    video: str
    trained: SplitKey
    evaluated: SplitKey

    def __str__(self) -> str:
        return f"{self.video} is in {_name(self.trained)} and in {_name(self.evaluated)}"


class LeakWarning(UserWarning):
    """A run trains on videos that it, or the challenge, is scored on."""


def _name(key: SplitKey) -> str:
    task, edition, split = key
    return f"{task}/{split} (edition {edition})"


def leaks(corpus: Corpus, trained: Iterable[SplitKey], evaluated: Iterable[SplitKey]) -> tuple[Leak, ...]:
    """Every video of a trained split that is also in an evaluated one, the same task included."""
    videos = {key: {video_stem(name) for name in corpus.splits[key]} for key in (*trained, *evaluated)}
    return tuple(
        Leak(video, training, scored)
        for training in trained
        for scored in evaluated
        if training != scored
        for video in sorted(videos[training] & videos[scored])
    )


def all_leaks(corpus: Corpus) -> tuple[Leak, ...]:
    """Every leak between a training split and a validation or test split of the same edition."""
    trained = [key for key in corpus.splits if key[2] == "train"]
    scored = [key for key in corpus.splits if key[2] in ("validation", "test")]
    return tuple(leak for leak in leaks(corpus, trained, scored) if leak.trained[1] == leak.evaluated[1])


def warn_of_leaks(corpus: Corpus, trained: Iterable[SplitKey], evaluated: Iterable[SplitKey]) -> None:
    """Name the videos that a run trains on (`trained`) and is scored on (`evaluated`)."""
    found = leaks(corpus, trained, evaluated)
    if found:
        shown = "; ".join(map(str, found[:5])) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
        warnings.warn(f"training would see videos that it is scored on: {shown}", LeakWarning, stacklevel=2)
