"""Features and labels of tracks, gathered for windows: whole batches at once, straight from mapped files."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from abaw_jax.corpus.tracks import Track
from abaw_jax.inputs.plan import Picks, Timeline, WindowPlan
from abaw_jax.inputs.windows import WindowSpec
from abaw_jax.labels import WIDTHS
from abaw_jax.store.features import Features
from abaw_jax.store.spec import DTYPES, FeatureSpec, Grid
from abaw_jax.types import Batch, mask_key, present_key

LABEL_TYPES = {"va": np.float32, "expr": np.int32, "au": np.float32}
NOTHING_KNOWN = {"va": 0.0, "expr": 0, "au": 0.0}
"""Under a mask; it never matters, but it is finite."""


@runtime_checkable
class Source(Protocol):
    """Where windows are read from."""

    timelines: tuple[Timeline, ...]
    grids: Mapping[str, Grid]

    def read(self, plan: WindowPlan, windows: Int[np.ndarray, " k"]) -> Batch: ...

    def joined(self) -> "Everything": ...


@dataclasses.dataclass(frozen=True, eq=False)
class Labels:
    """Labels and masks of one track, in the types that losses take."""

    values: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, track: Track, tasks: Sequence[str], edition: int | None) -> "Labels":
        """What the track has for each task; a task without labels is all masked."""
        values: dict[str, np.ndarray] = {}
        for task in tasks:
            found = track.labels_for(task, edition) or cls.empty(task, track.rows)
            value, mask = found[task], found[mask_key(task)]
            is_known = mask if mask.ndim == value.ndim else mask[:, None]
            values[task] = np.where(is_known, value, NOTHING_KNOWN[task]).astype(LABEL_TYPES[task])
            values[mask_key(task)] = mask
        return cls(values)

    @staticmethod
    def empty(task: str, rows: int) -> dict[str, np.ndarray]:
        """Rows of which nothing is known."""
        shape = (rows,) if task == "expr" else (rows, WIDTHS[task])
        mask = np.zeros(shape if task == "au" else (rows,), bool)
        return {task: np.full(shape, NOTHING_KNOWN[task], LABEL_TYPES[task]), mask_key(task): mask}

    @property
    def is_labelled(self) -> np.ndarray:
        """Rows with any valid label."""
        masks = [value for name, value in self.values.items() if name.endswith("_mask")]
        return np.any([mask if mask.ndim == 1 else mask.any(axis=1) for mask in masks], axis=0)


def example(spec: WindowSpec, features: Mapping[str, FeatureSpec], tasks: Sequence[str]) -> Batch:
    """A batch of one empty window: shapes and types, without any data."""
    batch: dict[str, np.ndarray] = {}
    for name, reach in spec.reaches.items():
        batch[name] = np.zeros((1, reach.count, *features[name].shape), DTYPES[features[name].dtype])
        batch[present_key(name)] = np.zeros((1, reach.count), bool)
    rows = len(spec.targets)
    for task in tasks:
        for key, empty in Labels.empty(task, rows).items():
            batch[key] = empty[None]
    return batch | {"track": np.zeros(1, np.int32), "row": np.zeros((1, rows), np.int32)}


class StoreSource:
    """The feature store: vectors stay on disk, mapped; masks and labels are in memory."""

    def __init__(
        self,
        tracks: Sequence[Track],
        features: Mapping[str, Features],
        tasks: Sequence[str],
        edition: int | None = None,
    ) -> None:
        self.grids = {name: found.spec.grid for name, found in features.items()}
        read = {name: [found.read(track.name) for track in tracks] for name, found in features.items()}
        self._values = {name: [feature.values for feature in found] for name, found in read.items()}
        self._empty = {n: np.zeros((0, *f.spec.shape), DTYPES[f.spec.dtype]) for n, f in features.items()}
        self._present = {name: Joined([feature.present for feature in found]) for name, found in read.items()}
        labels = [Labels.of(track, tasks, edition) for track in tracks]
        kinds = labels[0].values if labels else {}
        self._labels = {key: Joined([track.values[key] for track in labels]) for key in kinds}
        self.timelines = tuple(
            Timeline(
                track.name, track.rows, track.fps, track.times_s,
                {name: len(found[n]) for name, found in read.items()},
                {name: found[n].present for name, found in read.items()},
                labels[n].is_labelled,
            )
            for n, track in enumerate(tracks)
        )  # fmt: skip

    def read(self, plan: WindowPlan, windows: Int[np.ndarray, " k"]) -> Batch:
        """The batch of these windows, in this order; what is masked is zero."""
        batch: dict[str, np.ndarray] = {}
        tracks = plan.track[windows]
        for name, picks in plan.streams.items():
            batch[name], batch[present_key(name)] = self._stream(name, picks, windows, tracks)
        rows, inside = plan.targets.of(windows)
        for key, joined in self._labels.items():
            batch[key] = joined.take(tracks, rows, inside)
        return batch | {"track": tracks, "row": np.where(inside, rows, -1).astype(np.int32)}

    def joined(self) -> "Everything":
        """All of it in memory."""
        values = {name: Joined([*found, self._empty[name]]) for name, found in self._values.items()}
        return Everything(values, self._present, self._labels)

    def _stream(self, name: str, picks: Picks, windows: np.ndarray, tracks: np.ndarray):
        """(vectors, whether each is there)."""
        index, inside = picks.of(windows)
        present = self._present[name].take(tracks, index, inside)
        out = np.zeros((*index.shape, *self._empty[name].shape[1:]), self._empty[name].dtype)
        width = index.shape[1]
        for place, (track, row) in enumerate(zip(tracks.tolist(), index, strict=True)):
            values, first = self._values[name][track], int(row[0])
            if picks.is_contiguous and int(row[-1]) - first == width - 1:
                out[place] = values[first : first + width]
            elif len(values):
                np.take(values, row, axis=0, out=out[place], mode="clip")
        out[~present] = 0
        return out, present


class Joined:
    """Small arrays of all tracks behind each other, read in one go."""

    def __init__(self, arrays: Sequence[np.ndarray]) -> None:
        self.values = np.concatenate([*arrays, np.zeros((1, *arrays[0].shape[1:]), arrays[0].dtype)])
        self.base = np.cumsum([0, *map(len, arrays)])
        """Where each array begins."""

    def take(self, tracks: np.ndarray, index: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Rows of tracks; zero where there is none."""
        out = self.values[self.base[tracks][:, None] + index]
        out[~inside] = 0
        return out


@dataclasses.dataclass(frozen=True, eq=False)
class Everything:
    """A whole source as few large arrays."""

    values: Mapping[str, Joined]
    present: Mapping[str, Joined]
    labels: Mapping[str, Joined]
