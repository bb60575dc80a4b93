"""Gap filling by named rules: frames without a face must get a prediction too.

Official scores count every label row and a submission must name every row, so each system of the challenge
fills gaps somehow, and how it does moves its score. A rule here is a name, not a habit.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from abaw_jax.evaluation.clock import times_ms
from abaw_jax.evaluation.rows import Rows, neighbours
from abaw_jax.evaluation.table import NEUTRAL, RowTable

Distance = Float64[np.ndarray, " k"]


def previous(since: Distance, until: Distance) -> Distance:
    return np.isfinite(since).astype(np.float64)


def following(since: Distance, until: Distance) -> Distance:
    return np.isinf(until).astype(np.float64)


def nearest(since: Distance, until: Distance) -> Distance:
    return (since <= until).astype(np.float64)


def linear(since: Distance, until: Distance) -> Distance:
    """The nearer neighbour weighs more. The published notebook has the two weights reversed in some cells."""
    is_between = np.isfinite(since) & np.isfinite(until)
    length = np.where(is_between, since + until, 1.0)
    return np.where(is_between, until, np.isfinite(since)) / length


def from_neutral(since: Distance, until: Distance) -> Distance:
    return np.ones_like(since)


RULES: dict[str, Callable[[Distance, Distance], Distance]] = {
    "previous": previous,
    "next": following,
    "nearest": nearest,
    "linear": linear,
    "from_neutral": from_neutral,
}
"""Each says how much the prediction before a gap weighs, given the rows since it and the rows until the next
(infinite where there is none); the prediction after the gap has the rest. A neighbour that weighs and is not
there is neutral. So every rule is total:

- previous: the last prediction; the first one at the head of a track.
- next: the next prediction; the last one at the tail.
- nearest: the nearer one by row number, the previous on a tie.
- linear: between the neighbours by row number; head and tail hold.
- from_neutral: the last prediction, starting from neutral: the head is neutral.

A track without any prediction is neutral throughout, whatever the rule.
"""

ALIASES = {
    "system_c": "from_neutral",  # forward fill that starts each video from class 0
    "system_d": "previous",  # previous, else next, else 0
    "hse": "linear",  # linear, and the last value at the end
    "repeat_last": "previous",  # predictions shorter than the track (sucv, RJCMA)
    "system_e": "nearest",
    "system_h": "nearest",
    "ora": "nearest",  # with smooth(exclude_filled=True): what was filled is left out of the median
}
"""Published rules that come to the same as a basic one."""


@dataclass(frozen=True)
class FillCounts:
    """What filling did, so that nothing happens silently."""

    filled: dict[str, int]
    """Rows that got a value for some task, for every track."""
    without_predictions: dict[str, tuple[str, ...]]
    """Tracks, by task, that had nothing to fill from and became neutral."""
    left_out: int
    """Rows of the table that were not wanted; they still serve as neighbours."""


def fill(
    table: RowTable,
    rows: Mapping[str, int] | Iterable[tuple[str, int]] | Rows,
    rule: str,
    fps: Mapping[str, float | int] | None = None,
) -> tuple[RowTable, FillCounts]:
    """A table of exactly the wanted rows with every prediction made, by `rule` where there was none.

    Wanted rows are a number of rows a track, (track, row) pairs, or any table of rows such as a `Truth`.
    Tasks are filled one by one: a row may lack one and have another. `fps` times tracks whose own rows do
    not. Added rows are flagged `filled` alone: why they were missing is not known here.
    """
    weigh = _rule(rule)
    wanted = Rows.wanted(rows)
    at, keys = table.locate(wanted), table.keys_of(wanted)
    is_there = at >= 0
    columns, is_filled, without = {}, np.zeros(len(wanted), np.bool_), {}
    for task in table.tasks:
        is_predicted = table.predicted(task)
        columns[task], is_gap = _fill_task(table, task, is_predicted, at, keys, weigh)
        is_filled |= is_gap
        without[task] = _tracks_without(table, is_predicted, wanted)
    for flag in ("no_face", "no_sound", "filled"):
        columns[flag] = is_there & np.append(getattr(table, flag), False)[at]
    columns["filled"] |= is_filled | ~is_there
    result = RowTable.build(
        wanted.tracks, wanted.track, wanted.row, time_ms=times_ms(table, wanted, fps), **columns
    )
    per_track = np.bincount(wanted.track, weights=is_filled, minlength=len(wanted.tracks))
    filled = {name: int(count) for name, count in zip(wanted.tracks, per_track, strict=True)}
    return result, FillCounts(filled, without, len(table) - int(is_there.sum()))


def without_blind(table: RowTable) -> RowTable:
    """Rows without a face as gaps, for systems that only ever predict rows that have one."""
    blind = table.no_face[:, None]
    return dataclasses.replace(
        table, **{task: np.where(blind, np.float32(np.nan), getattr(table, task)) for task in table.tasks}
    )


def _rule(name: str) -> Callable[[Distance, Distance], Distance]:
    if ALIASES.get(name, name) not in RULES:
        raise ValueError(f"no gap filling rule '{name}', there are: {', '.join([*RULES, *ALIASES])}")
    return RULES[ALIASES.get(name, name)]


def _fill_task(
    table: RowTable,
    task: str,
    is_predicted: Bool[np.ndarray, " n"],
    at: Int64[np.ndarray, " m"],
    keys: Int64[np.ndarray, " m"],
    weigh: Callable[[Distance, Distance], Distance],
) -> tuple[Float32[np.ndarray, "m c"], Bool[np.ndarray, " m"]]:
    """Values of one task for rows at these positions and keys, and which of them were gaps."""
    known = np.flatnonzero(is_predicted)
    # Position -1 stands for what is not there, everywhere: the appended, neutral row.
    values = np.append(getattr(table, task), NEUTRAL[task][None], axis=0)
    is_gap = ~np.append(is_predicted, False)[at]
    filled = values.take(at, axis=0)
    before, after = neighbours(table.keys[known], keys[is_gap])
    known = np.append(known, -1)
    weight = weigh(*(_distance(table, known[side], keys[is_gap]) for side in (before, after)))
    weight = weight.astype(np.float32)[:, None]
    filled[is_gap] = weight * values[known[before]] + (1 - weight) * values[known[after]]
    return filled, is_gap


def _distance(table: RowTable, positions: Int64[np.ndarray, " k"], keys: Int64[np.ndarray, " k"]) -> Distance:
    return np.where(positions >= 0, np.abs(keys - np.append(table.keys, -1)[positions]), np.inf)


def _tracks_without(table: RowTable, is_predicted: Bool[np.ndarray, " n"], wanted: Rows) -> tuple[str, ...]:
    counts = np.bincount(table.track[is_predicted], minlength=len(table.tracks))
    has_some = {name for name, count in zip(table.tracks, counts, strict=True) if count}
    return tuple(name for name in wanted.tracks if name not in has_some)
