"""The time of a row: how fast a track runs, and when the rows fall that nobody timed."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64, Int32, Int64

from abaw_jax.evaluation.rows import Rows, neighbours
from abaw_jax.evaluation.table import RowTable

MS_PER_S = 1000.0


def ms_per_row(
    table: RowTable, fps: Mapping[str, float | int] | None = None
) -> Float64[np.ndarray, " tracks"]:
    """Mean time between rows of each track, from its first timed row to its last.

    The mean rather than the median: a track of variable frame rate keeps its length. A track with fewer than
    two timed rows, or whose clock does not advance, takes `fps`, and is NaN without it.
    """
    timed = np.flatnonzero(np.isfinite(table.time_ms))
    bounds = np.searchsorted(table.track[timed], np.arange(len(table.tracks) + 1))
    has_two = np.flatnonzero(np.diff(bounds) >= 2)
    first, last = timed[bounds[has_two]], timed[bounds[has_two + 1] - 1]
    measured = (table.time_ms[last] - table.time_ms[first]) / (table.row[last] - table.row[first])
    per_row = _declared(table.tracks, fps)
    per_row[has_two] = np.where(measured > 0, measured, per_row[has_two])
    return per_row


def times_ms(
    table: RowTable, wanted: Rows, fps: Mapping[str, float | int] | None = None
) -> Float64[np.ndarray, " m"]:
    """The time of each wanted row: known, else interpolated between known rows, else extrapolated.

    Extrapolation runs at the track's own rate. In a track without a timed row, row k falls in the middle of
    its frame, (k - 0.5) / fps. What cannot be told is NaN.
    """
    times = np.append(table.time_ms, np.nan)[table.locate(wanted)]
    unknown = np.flatnonzero(np.isnan(times))
    if len(unknown):
        per_row = dict(zip(wanted.tracks, _declared(wanted.tracks, fps), strict=True))
        per_row |= zip(table.tracks, ms_per_row(table, fps), strict=True)
        slope = np.array([per_row[name] for name in wanted.tracks])[wanted.track[unknown]]
        times[unknown] = _estimate(table, table.keys_of(wanted)[unknown], wanted.row[unknown], slope)
    return times


def _declared(
    tracks: tuple[str, ...], fps: Mapping[str, float | int] | None
) -> Float64[np.ndarray, " tracks"]:
    return np.array([MS_PER_S / fps[name] if fps and name in fps else np.nan for name in tracks], np.float64)


def _estimate(
    table: RowTable,
    keys: Int64[np.ndarray, " k"],
    row: Int32[np.ndarray, " k"],
    slope: Float64[np.ndarray, " k"],
) -> Float64[np.ndarray, " k"]:
    timed = np.flatnonzero(np.isfinite(table.time_ms))
    before, after = neighbours(table.keys[timed], keys)
    # Position -1, no timed row, reads the appended anchor: frame 1 begins at time 0.
    anchor_row = np.append(table.row[timed], 0.5)
    anchor_ms = np.append(table.time_ms[timed], 0.0)
    is_between = (before >= 0) & (after >= 0)
    run = np.where(is_between, anchor_row[after] - anchor_row[before], 1.0)
    slope = np.where(is_between, (anchor_ms[after] - anchor_ms[before]) / run, slope)
    anchor = np.where(before >= 0, before, after)
    return anchor_ms[anchor] + (row - anchor_row[anchor]) * slope
