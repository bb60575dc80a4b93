"""Features and labels of tracks, gathered for windows: whole batches at once, straight from mapped files."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

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
ROWS = Grid()
NOTHING_KNOWN = {"va": 0.0, "expr": 0, "au": 0.0}
"""Under a mask; it never matters, but it is finite."""


@runtime_checkable
class Source(Protocol):
    """Where windows are read from."""

    timelines: tuple[Timeline, ...]
    labels: Sequence["Labels"]
    """Of each track."""
    grids: Mapping[str, Grid]

    def read(self, plan: WindowPlan, windows: Int[np.ndarray, " k"]) -> Batch: ...

    def joined(self) -> "Everything": ...

    def vectors(self, name: str, track: int, index: np.ndarray) -> np.ndarray: ...


@dataclasses.dataclass(frozen=True)
class LabelChoice:
    """Whose labels: a challenge has its own, and `mtl` has labels of all three tasks."""

    tasks: tuple[str, ...]
    challenge: str | None = None
    """None: of each task's own challenge."""
    edition: int | None = None
    """None: the newest."""

    def labels(self, track: Track, task: str) -> Mapping[str, np.ndarray]:
        """Values and mask in the precision of the files."""
        kind = "mtl" if self.challenge == "mtl" else task
        return track.labels_for(kind, self.edition) or Labels.empty(task, track.rows)


@dataclasses.dataclass(frozen=True, eq=False)
class Labels:
    """Labels and masks of one track, in the types that losses take."""

    values: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, track: Track, choice: LabelChoice) -> "Labels":
        """What the track has for each task; a task without labels is all masked."""
        values: dict[str, np.ndarray] = {}
        for task in choice.tasks:
            found = choice.labels(track, task)
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


@dataclasses.dataclass(frozen=True)
class Kind:
    """What the vectors of a stream are."""

    shape: tuple[int, ...]
    dtype: Any
    grid: Grid = ROWS

    @classmethod
    def of(cls, spec: FeatureSpec) -> "Kind":
        return cls(spec.shape, DTYPES[spec.dtype], spec.grid)


class RowSource(abc.ABC):
    """Masks and labels in memory; vectors from wherever a subclass has them."""

    def __init__(
        self,
        tracks: Sequence[Track],
        kinds: Mapping[str, Kind],
        present: Mapping[str, Sequence[np.ndarray]],
        choice: LabelChoice,
    ) -> None:
        self.grids = {name: kind.grid for name, kind in kinds.items()}
        self._empty = {name: np.zeros((0, *kind.shape), kind.dtype) for name, kind in kinds.items()}
        self._present = {name: Joined(found) for name, found in present.items()}
        self.labels = [Labels.of(track, choice) for track in tracks]
        kinds = self.labels[0].values if self.labels else {}
        self._labels = {key: Joined([track.values[key] for track in self.labels]) for key in kinds}
        self.timelines = tuple(
            Timeline(
                track.name, track.rows, track.fps, track.times_s,
                {name: len(found[n]) for name, found in present.items()},
                {name: found[n] for name, found in present.items()},
                self.labels[n].is_labelled,
            )
            for n, track in enumerate(tracks)
        )  # fmt: skip

    @abc.abstractmethod
    def gather(self, name: str, track: int, index: np.ndarray, out: np.ndarray, is_contiguous: bool) -> None:
        """Vectors of one track; those of an `index` that rises by one may be copied in one go."""

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

    def vectors(self, name: str, track: int, index: np.ndarray) -> np.ndarray:
        """Some of a track's."""
        out = np.zeros((len(index), *self._empty[name].shape[1:]), self._empty[name].dtype)
        if len(index):
            self.gather(
                name, track, index, out, is_contiguous=int(index[-1]) - int(index[0]) == len(index) - 1
            )
        return out

    def joined(self) -> "Everything":
        """All of it in memory."""
        values = {}
        for name, empty in self._empty.items():
            lengths = [timeline.vectors[name] for timeline in self.timelines]
            found = [self.vectors(name, number, np.arange(length)) for number, length in enumerate(lengths)]
            values[name] = Joined([*found, empty])
        return Everything(values, self._present, self._labels)

    def _stream(self, name: str, picks: Picks, windows: np.ndarray, tracks: np.ndarray):
        """(vectors, whether each is there)."""
        index, inside = picks.of(windows)
        present = self._present[name].take(tracks, index, inside)
        out = np.zeros((*index.shape, *self._empty[name].shape[1:]), self._empty[name].dtype)
        width = index.shape[1]
        for place, (track, row) in enumerate(zip(tracks.tolist(), index, strict=True)):
            if self.timelines[track].vectors[name]:
                in_one_go = picks.is_contiguous and int(row[-1]) - int(row[0]) == width - 1
                self.gather(name, track, row, out[place], in_one_go)
        out[~present] = 0
        return out, present


class StoreSource(RowSource):
    """The feature store: vectors stay on disk, mapped."""

    def __init__(
        self,
        tracks: Sequence[Track],
        features: Mapping[str, Features],
        choice: LabelChoice,
    ) -> None:
        read = {name: [found.read(track.name) for track in tracks] for name, found in features.items()}
        self._values = {name: [feature.values for feature in found] for name, found in read.items()}
        kinds = {name: Kind.of(found.spec) for name, found in features.items()}
        present = {name: [feature.present for feature in found] for name, found in read.items()}
        super().__init__(tracks, kinds, present, choice)

    def gather(self, name: str, track: int, index: np.ndarray, out: np.ndarray, is_contiguous: bool) -> None:
        """A copy of mapped bytes."""
        values = self._values[name][track]
        if is_contiguous:
            first = int(index[0])
            out[...] = values[first : first + len(index)]
        else:
            np.take(values, index, axis=0, out=out, mode="clip")


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
