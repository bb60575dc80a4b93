"""From windows back to rows: every window predicted once, overlaps brought together, a row table out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from abaw_jax.evaluation.table import RowTable
from abaw_jax.inputs.plan import Timeline, WindowPlan
from abaw_jax.labels import WIDTHS
from abaw_jax.store.spec import Grid
from abaw_jax.types import Batch

Predict = Callable[[Any, Batch], dict[str, jax.Array]]


class Rows:
    """Predictions of one task over all rows of all tracks."""

    def __init__(self, rows: Sequence[int], width: int, overlap: str) -> None:
        self._base = np.cumsum([0, *rows])
        self._sum = np.zeros((self._base[-1], width))
        self._count = np.zeros(self._base[-1])
        self._overlap = overlap

    def add(self, track: np.ndarray, row: np.ndarray, values: np.ndarray) -> None:
        """Windows in the plan's order; rows of -1 are nobody's."""
        for number, rows, found in zip(track, row, values, strict=True):
            at, found = self._base[number] + rows[rows >= 0], found[rows >= 0]
            if self._overlap == "first":
                at, found = at[self._count[at] == 0], found[self._count[at] == 0]
            elif self._overlap == "last":
                self._sum[at] = self._count[at] = 0
            self._sum[at] += found
            self._count[at] += 1

    def values(self) -> np.ndarray:
        """NaN where no window had a row as its target."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self._sum / self._count[:, None]).astype(np.float32)


def predict_rows(
    predict: Predict,
    variables: Any,
    batches: Iterable[Batch],
    put: Callable[[Batch], Batch],
    timelines: Sequence[Timeline],
    plan: WindowPlan,
    grids: Mapping[str, Grid],
    parts: Sequence[str],
) -> RowTable:
    """Every row that a window predicts; the order of additions is the plan's, so results repeat exactly."""
    counts = [timeline.rows for timeline in timelines]
    rows = {part: Rows(counts, WIDTHS[part], plan.spec.overlap) for part in parts}
    for found in _one_behind(lambda batch: _predicted(predict, variables, put(batch), parts), batches):
        real = found["is_real"]
        for part in parts:
            values = found[part][real].astype(np.float64)
            rows[part].add(found["track"][real], found["row"][real], values)
    track = np.repeat(np.arange(len(counts)), counts)
    row = np.concatenate([np.zeros(0, int), *(np.arange(1, count + 1) for count in counts)])
    return RowTable.build(
        [timeline.name for timeline in timelines], track, row, time_ms=_times_ms(timelines),
        **{part: found.values() for part, found in rows.items()}, **_flags(timelines, grids),
    )  # fmt: skip


def _predicted(predict: Predict, variables: Any, batch: Batch, parts: Sequence[str]) -> dict[str, jax.Array]:
    """What is said of a batch on the devices, and of whom."""
    said = predict(variables, batch)
    return {part: said[part] for part in parts} | {key: batch[key] for key in ("track", "row", "is_real")}


def _one_behind(
    predicted: Callable[[Batch], dict[str, jax.Array]], batches: Iterable[Batch]
) -> Iterator[dict[str, np.ndarray]]:
    """Each batch's, fetched while the devices are at the next one."""
    before = None
    for batch in batches:
        after = predicted(batch)
        if before is not None:
            yield _on_host(before)
        before = after
    if before is not None:
        yield _on_host(before)


def _on_host(arrays: dict[str, jax.Array]) -> dict[str, np.ndarray]:
    if jax.process_count() == 1:
        return {key: np.asarray(value) for key, value in arrays.items()}
    return {k: np.asarray(multihost_utils.process_allgather(v, tiled=True)) for k, v in arrays.items()}


def _times_ms(timelines: Sequence[Timeline]) -> np.ndarray:
    times = [1000 * t.times_s if t.times_s is not None else np.full(t.rows, np.nan) for t in timelines]
    return np.concatenate([np.zeros(0), *times])


def _flags(timelines: Sequence[Timeline], grids: Mapping[str, Grid]) -> dict[str, np.ndarray]:
    """Rows whose face or sound is not there, where a stream at rows tells; between sparse ones the last."""
    flags = {}
    for flag, stream in (("no_face", "video"), ("no_sound", "audio")):
        if stream in grids and grids[stream].kind == "rows":
            there = [_at_rows(t, stream, grids[stream]) for t in timelines]
            flags[flag] = ~np.concatenate([np.zeros(0, bool), *there])
    return flags


def _at_rows(timeline: Timeline, stream: str, grid: Grid) -> np.ndarray:
    """Whether a stream is there at each row."""
    present = timeline.present[stream]
    if len(present) == timeline.rows:
        return present
    with_vector = grid.rows(timeline.rows, timeline.fps) - 1
    return present[np.searchsorted(with_vector, np.arange(timeline.rows), side="right") - 1]
