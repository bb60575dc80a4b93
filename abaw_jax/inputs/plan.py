"""A plan: every window of a set of tracks as plain integers. Reading one is a gather.

Of a stream, entry i of window w is vector `start[w] + steps[group[w], i]` of the track's file: one row of
steps for all where offsets are rows, one a track where they are seconds, one a window where they follow what
is there.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Int

from abaw_jax.inputs.windows import Native, Present, Reach, Rows, Seconds, WindowSpec
from abaw_jax.store.spec import Grid


@dataclasses.dataclass(frozen=True, eq=False)
class Timeline:
    """What planning needs to know of one track."""

    name: str
    rows: int
    fps: float | None
    times_s: np.ndarray | None
    vectors: Mapping[str, int]
    """Of each stream, how many its file holds."""
    present: Mapping[str, Bool[np.ndarray, " n"]]
    """Of each stream, which of them are real."""
    is_labelled: Bool[np.ndarray, " t"]
    """Rows with any valid label."""


@dataclasses.dataclass(frozen=True, eq=False)
class Picks:
    """Which vectors of one stream (or which rows) every window takes."""

    start: Int[np.ndarray, " w"]
    steps: Int[np.ndarray, "g n"]
    group: Int[np.ndarray, " w"]
    length: Int[np.ndarray, " w"]
    """Vectors that the window's track has."""
    is_clamped: bool = False

    @functools.cached_property
    def is_contiguous(self) -> bool:
        """Whether every window takes neighbours, so that it can be copied in one go."""
        return bool((np.diff(self.steps, axis=1) == 1).all())

    def of(self, windows: Int[np.ndarray, " k"]) -> tuple[Int[np.ndarray, "k n"], Bool[np.ndarray, "k n"]]:
        """(vectors, whether each is within the track); those that are not stand at its nearest end."""
        index = self.start[windows, None] + self.steps[self.group[windows]]
        last = self.length[windows, None] - 1
        inside = (index >= 0) & (index <= last)
        if self.is_clamped:
            inside = np.broadcast_to(last >= 0, index.shape)
        return np.clip(index, 0, np.maximum(last, 0)), inside


@dataclasses.dataclass(frozen=True, eq=False)
class WindowPlan:
    """Windows in the order of tracks and rows."""

    spec: WindowSpec
    tracks: tuple[str, ...]
    track: Int[np.ndarray, " w"]
    anchor: Int[np.ndarray, " w"]
    """Rows, counted from 0 here and from 1 in every file."""
    targets: Picks
    streams: Mapping[str, Picks]

    def __len__(self) -> int:
        return len(self.track)


def make_plan(
    spec: WindowSpec, timelines: Sequence[Timeline], grids: Mapping[str, Grid], for_training: bool
) -> WindowPlan:
    """Training drops windows without a label; evaluation covers every row that its stride allows."""
    stride = spec.stride if for_training else spec.eval_stride
    anchors = [_anchors(spec, timeline, stride, for_training) for timeline in timelines]
    track = np.repeat(np.arange(len(timelines)), [len(a) for a in anchors]).astype(np.int32)
    anchor = np.concatenate([np.zeros(0, np.int64), *anchors]).astype(np.int32)
    windows = _Windows(spec, timelines, track, anchor)
    streams = {name: windows.picks(name, reach, grids[name]) for name, reach in spec.reaches.items()}
    plan = WindowPlan(spec, tuple(t.name for t in timelines), track, anchor, windows.targets(), streams)
    return _without_the_skipped(plan) if spec.edge == "skip" else plan


def _anchors(spec: WindowSpec, timeline: Timeline, stride: int, for_training: bool) -> np.ndarray:
    """From the first row that the first window can predict to the last."""
    first, last = -spec.targets[0], timeline.rows - 1 - spec.targets[-1]
    if spec.edge == "shift":
        end = max(first, last)
        anchors = np.unique(np.append(np.arange(first, end, stride), end))
    else:  # the last windows may hang over, so that every row is somebody's target
        anchors = np.arange(first, max(first, last) + stride, stride)
        anchors = anchors[anchors + spec.targets[0] < timeline.rows]
    anchors = anchors if timeline.rows else anchors[:0]
    if not for_training:
        return anchors
    if spec.learn_from_s:
        anchors = anchors[anchors + spec.targets[0] >= spec.learn_from_s * _rate(timeline)]
    rows = anchors[:, None] + np.array(spec.targets)
    labelled = timeline.is_labelled[np.clip(rows, 0, timeline.rows - 1)] if timeline.rows else rows > 0
    return anchors[(labelled & (rows >= 0) & (rows < timeline.rows)).any(axis=1)]


@dataclasses.dataclass(frozen=True, eq=False)
class _Windows:
    """Anchors on their way to picks."""

    spec: WindowSpec
    timelines: Sequence[Timeline]
    track: np.ndarray
    anchor: np.ndarray

    def targets(self) -> Picks:
        """Which rows are predicted."""
        steps = np.array([self.spec.targets], np.int32)
        return Picks(self.anchor, steps, np.zeros_like(self.track), self._each(lambda t: t.rows))

    def picks(self, name: str, reach: Reach, grid: Grid) -> Picks:
        """What a stream gives to every window."""
        length, is_clamped = self._each(lambda t: t.vectors[name]), self.spec.edge == "clamp"
        if isinstance(reach, Native):
            start = np.concatenate([np.zeros(0), *(self._native(n, reach, grid) for n in self._numbers())])
            steps = np.arange(reach.count, dtype=np.int32)[None]
            # Never clamped: sound that has ended is not heard on and on.
            return Picks(start.astype(np.int32), steps, np.zeros_like(self.track), length)
        if grid.kind != "rows":
            raise ValueError(f"{name} has its own clock: its reach is Native, not {type(reach).__name__}")
        if isinstance(reach, Rows) and grid.sample_hz is None:
            steps = np.array([reach.offsets], np.int32)
            return Picks(self.anchor, steps, np.zeros_like(self.track), length, is_clamped)
        if isinstance(reach, Seconds) and grid.sample_hz is None:
            steps = np.stack([self._rows_of(reach.offsets, t) for t in self.timelines])
            return Picks(self.anchor, steps, self.track, length, is_clamped)
        steps = np.concatenate([self._single(n, name, reach, grid) for n in self._numbers()])
        every = np.arange(len(self.track), dtype=np.int32)
        is_clamped &= not isinstance(reach, Present)  # where nothing is there, nothing is near
        return Picks(np.zeros_like(every), steps.astype(np.int32), every, length, is_clamped)

    def _numbers(self) -> range:
        return range(len(self.timelines))

    def _each(self, what) -> np.ndarray:
        return np.array([what(timeline) for timeline in self.timelines], np.int32)[self.track]

    def _rows_of(self, offsets_s: Sequence[float], timeline: Timeline) -> np.ndarray:
        return np.round(np.asarray(offsets_s) * _rate(timeline)).astype(np.int32)

    def _native(self, number: int, reach: Native, grid: Grid) -> np.ndarray:
        """The first vector at or after `first_s` from the anchor's time."""
        timeline, anchors = self.timelines[number], self.anchor[self.track == number]
        if timeline.times_s is None:
            raise ValueError(f"{timeline.name} has no times, and a stream's own clock needs them")
        rows = np.clip(anchors, 0, timeline.rows - 1)
        beyond_s = (anchors - rows) / _rate(timeline)
        wanted = (timeline.times_s[rows] + beyond_s + reach.first_s - grid.start_s) * grid.rate_hz
        return np.ceil(wanted - 1e-6)

    def _single(self, number: int, name: str, reach: Reach, grid: Grid) -> np.ndarray:
        """Vectors of windows that follow no common pattern: a sparser grid, or rows that are there."""
        timeline, anchors = self.timelines[number], self.anchor[self.track == number]
        rows_with_vector = grid.rows(timeline.rows, timeline.fps) - 1
        if isinstance(reach, Present):
            there = rows_with_vector[timeline.present[name]]
            where = np.flatnonzero(timeline.present[name])
            bounds_s = np.array([reach.first_s, reach.last_s]) * _rate(timeline)
            return _spread(there, where, anchors, np.round(bounds_s).astype(int), reach.count)
        if isinstance(reach, Seconds) and (step := _even_step(reach, grid, timeline)):
            # On the stream's own places: rounded to rows, some would be taken twice and others never.
            first = anchors + reach.offsets[0] * _rate(timeline)
            first = np.ceil((first + 1) * grid.sample_hz / _rate(timeline) - 1e-6).astype(int) - 1
            return first[:, None] + step * np.arange(reach.count)
        offsets = reach.offsets if isinstance(reach, Rows) else self._rows_of(reach.offsets, timeline)
        rows = anchors[:, None] + np.asarray(offsets)
        found = np.searchsorted(rows_with_vector, rows, side="right") - 1
        return np.where(
            (rows < 0) | (rows >= timeline.rows), len(rows_with_vector) * (rows >= 0) - (rows < 0), found
        )


def _even_step(reach: Seconds, grid: Grid, timeline: Timeline) -> int:
    """Of moments that are evenly apart, by how many vectors of a sparse grid; 0 where they fall between."""
    apart = np.diff(reach.offsets)
    if (
        grid.sample_hz is None
        or grid.sample_hz >= _rate(timeline)
        or not len(apart)
        or not np.allclose(apart, apart[0])
    ):
        return 0
    step = round(apart[0] * grid.sample_hz)
    return step if step > 0 and np.isclose(step, apart[0] * grid.sample_hz) else 0


def _rate(timeline: Timeline) -> float:
    if timeline.fps is None:
        raise ValueError(f"{timeline.name} has no known rate, and windows in seconds need it")
    return timeline.fps


def _spread(
    there: np.ndarray, where: np.ndarray, anchors: np.ndarray, bounds: np.ndarray, count: int
) -> np.ndarray:
    """Of the rows that are there between two bounds `count` evenly spread; masked (-1) where none is."""
    low = np.searchsorted(there, anchors + bounds[0], side="left")
    high = np.searchsorted(there, anchors + bounds[1], side="right")
    size = high - low
    ranks = low[:, None] + (size[:, None] - 1) * np.arange(count) / max(count - 1, 1)
    if not len(where):
        return np.full(ranks.shape, -1)
    picked = where[np.clip(np.round(ranks).astype(int), 0, len(where) - 1)]
    return np.where(size[:, None] > 0, picked, -1)


def _without_the_skipped(plan: WindowPlan) -> WindowPlan:
    """Only windows of which every row and vector lies within the track."""
    every, fits = np.arange(len(plan)), np.ones(len(plan), bool)
    for picks in (plan.targets, *plan.streams.values()):
        fits &= picks.of(every)[1].all(axis=1)
    kept = np.flatnonzero(fits)
    return dataclasses.replace(
        plan,
        track=plan.track[kept],
        anchor=plan.anchor[kept],
        targets=_only(plan.targets, kept),
        streams={name: _only(picks, kept) for name, picks in plan.streams.items()},
    )


def _only(picks: Picks, windows: np.ndarray) -> Picks:
    return dataclasses.replace(
        picks, start=picks.start[windows], group=picks.group[windows], length=picks.length[windows]
    )
