"""The rows that a run learns from and is scored on: tracks, sources, plans, truth."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from ml_collections import ConfigDict

from abaw_jax.corpus.splits import folds, warn_of_leaks
from abaw_jax.corpus.tracks import Corpus, Track
from abaw_jax.evaluation.truth import Truth
from abaw_jax.inputs.loader import Loader, Pool
from abaw_jax.inputs.order import Order
from abaw_jax.inputs.plan import WindowPlan, make_plan
from abaw_jax.inputs.source import LabelChoice, Labels, Source, StoreSource
from abaw_jax.store.features import Features
from abaw_jax.store.spec import FeatureSpec
from abaw_jax.train.windows import window_spec
from abaw_jax.types import mask_key

MOMENTS_FROM = 50_000
"""Vectors, evenly taken: a mean of so many is known to half a percent of the deviation."""
SMALLEST_DEVIATION = 1e-4
"""Of a number that varies, in units of its mean: float16 has three digits."""


@runtime_checkable
class Data(Protocol):
    """A corpus and its features, wherever they lie."""

    corpus: Corpus
    specs: Mapping[str, FeatureSpec]
    """What each stream's features are."""

    def source(self, tracks: Sequence[Track], choice: LabelChoice) -> Source: ...

    def words(self, prompts: str, encoder: str) -> np.ndarray:
        """What a text tower makes of the prompts of a name, a row each."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Stored:
    """A corpus in its folders, features in a store."""

    corpus: Corpus
    features: Mapping[str, Features]
    read_words: Callable[[str, str], np.ndarray] | None = None

    @property
    def specs(self) -> Mapping[str, FeatureSpec]:
        return {name: found.spec for name, found in self.features.items()}

    def source(self, tracks: Sequence[Track], choice: LabelChoice) -> Source:
        return StoreSource(tracks, self.features, choice)

    def words(self, prompts: str, encoder: str) -> np.ndarray:
        if self.read_words is None:
            raise ValueError("text.prompts: nothing here reads prompts")
        return self.read_words(prompts, encoder)


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """One split, ready to be read."""

    tracks: Sequence[Track]
    choice: LabelChoice
    source: Source
    plan: WindowPlan

    @functools.cached_property
    def truth(self) -> Truth:
        """Every label row of the tracks."""
        return truth_of(self.tracks, self.choice)

    def labelled(self) -> Iterator[tuple[Track, Labels]]:
        """Each track with the labels that are learnt from."""
        return zip(self.tracks, self.source.labels, strict=True)


def truth_of(tracks: Sequence[Track], choice: LabelChoice) -> Truth:
    """Every label row of the tracks, in the precision of the files."""
    track = np.repeat(np.arange(len(tracks)), [t.rows for t in tracks])
    row = np.concatenate([np.arange(1, t.rows + 1) for t in tracks])
    columns: dict[str, np.ndarray] = {"has_image": np.concatenate([t.has_image() for t in tracks])}
    for task in choice.tasks:
        labels = [choice.labels(t, task) for t in tracks]
        for key in (task, mask_key(task)):
            columns[key] = np.concatenate([found[key] for found in labels])
    return Truth.build([t.name for t in tracks], track, row, **columns)


def open_part(
    data: Data,
    config: ConfigDict,
    tasks: Sequence[str],
    split: str,
    for_training: bool,
    of: str | None = None,
) -> Part:
    """A split of a challenge (by default the config's) with its plan, of training or of evaluation."""
    challenge, edition = of or config.task, config.corpus.edition
    tracks = tracks_of(data.corpus, config, challenge, split)
    choice = LabelChoice(tuple(tasks), challenge, edition)
    source = data.source(tracks, choice)
    plan = make_plan(window_spec(config, source.grids), source.timelines, source.grids, for_training)
    return Part(tracks, choice, source, plan)


def quotas(config: ConfigDict) -> list[tuple[str, int]]:
    """Of whose training split how many windows of every batch are."""
    mix = [(str(task), int(windows)) for task, windows in config.train.mix]
    if mix and (total := sum(windows for _, windows in mix)) != config.train.batch_size:
        raise ValueError(
            f"train.mix: found {total} windows, expected train.batch_size={config.train.batch_size}"
        )
    return mix or [(config.task, config.train.batch_size)]


def make_loader(parts: Sequence[Part], config: ConfigDict, process: int, processes: int) -> Loader:
    """Batches of the parts by the config's quotas."""
    pools = [
        Pool(part.source, part.plan, Order(len(part.plan), windows, config.seed + (number << 32)))
        for number, (part, (_, windows)) in enumerate(zip(parts, quotas(config), strict=True))
    ]
    return Loader(pools, process, processes, config.train.threads)


def moments(parts: Sequence[Part], stream: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of a stream's last axis over its real vectors, up to `MOMENTS_FROM` of them."""
    there = [
        (part.source, number, np.flatnonzero(timeline.present[stream]))
        for part in parts
        for number, timeline in enumerate(part.source.timelines)
    ]
    every = max(1, -(-sum(len(rows) for _, _, rows in there) // MOMENTS_FROM))
    n, total, squares = 0, 0.0, 0.0
    for source, number, rows in there:
        picked = rows[::every]
        if not len(picked):
            continue
        values = source.vectors(stream, number, picked).astype(np.float64)
        values = values.reshape(-1, values.shape[-1])
        n, total, squares = n + len(values), total + values.sum(axis=0), squares + (values**2).sum(axis=0)
    if not n:
        raise ValueError(f"{stream}: found no vector in the training split, expected some")
    mean = total / n
    deviation = np.sqrt(np.maximum(squares / n - mean**2, 0))
    is_constant = deviation <= SMALLEST_DEVIATION * np.maximum(1, np.abs(mean))
    return mean.astype(np.float32), np.where(is_constant, 1, deviation).astype(np.float32)


def tracks_of(corpus: Corpus, config: ConfigDict, challenge: str, split: str) -> list[Track]:
    """Those of the official split, or of the config's fold; no fold cuts a video in two.

    Fold 0 is the official split. Fold k learns from all training and validation videos but those of the k-th
    group of the training ones, on which it is scored. Who is in which fold does not follow the seed.
    """
    edition = config.corpus.edition
    if config.fold == 0 or split not in ("train", "validation"):
        return corpus.split(challenge, split, edition)
    if not 0 < config.fold < config.folds:
        raise ValueError(
            f"fold: found {config.fold}, expected 0 to {config.folds - 1}, as there are {config.folds}"
        )
    groups = folds(corpus.split(config.task, "train", edition), config.folds - 1)
    held = groups[config.fold - 1]
    if split == "validation" and challenge == config.task:
        return list(held)
    videos = {track.video for track in held}
    both = {t.name: t for part in ("train", "validation") for t in corpus.split(challenge, part, edition)}
    return [track for track in both.values() if track.video not in videos]


def check_leaks(corpus: Corpus, config: ConfigDict) -> None:
    """Warn of videos that are learnt from and scored on; of folds there are none."""
    if config.fold:
        return

    def key(task: str, split: str):
        edition = config.corpus.edition
        return task, corpus.edition(task, split) if edition is None else edition, split

    learnt = [key(task, "train") for task, _ in quotas(config)]
    warn_of_leaks(corpus, learnt, [key(config.task, "validation")])
