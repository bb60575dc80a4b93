"""Smoothing of predictions along a track, the cheapest gain of the challenge after filling gaps.

Participants report smoothing widths in frames; at 8 frames a second theirs is another filter than at 30. Here
widths are seconds, and each track is smoothed at its own rate.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy import fft, ndimage

from abaw_jax.evaluation.clock import MS_PER_S, ms_per_row
from abaw_jax.evaluation.table import RowTable

FALLBACK_FPS = 30.0
"""For a track without times: two thirds of the corpus run at 30 or 29.97, none faster."""

TRUNCATE = 4.0
"""Standard deviations at which the Gaussian ends (default, not from a paper). Not a row further: a lone voter
beyond would weigh less than the transform's rounding."""

MEDIAN_CHUNK = 1 << 22
"""Values sorted at once where the median is taken by hand; bounds memory (32 MiB), not the result."""

Dense = Float64[np.ndarray, "r c"]
"""One track, a line for every frame number from its first row to its last; NaN where no row votes."""


def box(values: Dense, width_rows: float) -> Dense:
    """Mean over the voters among 2 * half + 1 rows, half = round(width / 2)."""
    sums, counts = _window_sums(values, round(width_rows / 2))
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def gaussian(values: Dense, width_rows: float) -> Dense:
    """Weighted mean over the voters; the width is the standard deviation. By FFT: the widths are long."""
    half = min(int(TRUNCATE * width_rows + 1e-6), len(values) - 1)
    _, counts = _window_sums(values, half)
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / max(width_rows, np.finfo(np.float64).tiny)) ** 2)
    votes = np.column_stack([np.nan_to_num(values), ~np.isnan(values[:, :1])])
    size = fft.next_fast_len(len(votes) + 2 * half, real=True)
    spectrum = fft.rfft(votes, size, axis=0) * fft.rfft(weights, size)[:, None]
    sums = fft.irfft(spectrum, size, axis=0)[half : half + len(votes)]
    means = np.divide(sums[:, :-1], sums[:, -1:], out=np.full_like(values, np.nan), where=counts > 0)
    # A mean lies within what it averages; the transform's rounding would leave that range.
    return np.clip(means, np.nanmin(values, axis=0), np.nanmax(values, axis=0))


def median(values: Dense, width_rows: float) -> Dense:
    """Median over the voters among 2 * half + 1 rows, the mean of the middle two where they are even.

    Column by column: smoothed probabilities need not sum to 1, their order is what counts.
    """
    half = min(round(width_rows / 2), len(values) - 1)
    _, counts = _window_sums(values, half)
    # Line by line: scipy has a fast path for one dimension, 25 times faster than a window of one column.
    columns = np.ascontiguousarray(np.nan_to_num(values).T)
    result = np.stack([ndimage.median_filter(column, size=2 * half + 1) for column in columns], axis=1)
    irregular = np.flatnonzero(counts[:, 0] < 2 * half + 1)
    padded = np.pad(values, ((half, half), (0, 0)), constant_values=np.nan)
    pieces = 1 + len(irregular) * (2 * half + 1) * values.shape[1] // MEDIAN_CHUNK
    for rows in np.array_split(irregular, pieces):
        windows = np.sort(padded[rows[:, None] + np.arange(2 * half + 1)], axis=1)  # NaN sorts last
        voters = counts[rows].astype(np.int64)[:, :, None]
        middle = [np.take_along_axis(windows, at, axis=1)[:, 0] for at in ((voters - 1) // 2, voters // 2)]
        result[rows] = np.where(voters[:, 0] > 0, (middle[0] + middle[1]) / 2, np.nan)
    return result


KERNELS: dict[str, Callable[[Dense, float], Dense]] = {"box": box, "gaussian": gaussian, "median": median}


def smooth(
    table: RowTable,
    kernel: str,
    width_s: float | int | Mapping[str, float | int],
    *,
    exclude_filled: bool = False,
    fps: Mapping[str, float | int] | None = None,
) -> RowTable:
    """Smooth every task, or those that `width_s` names, each by its own width in seconds.

    Box and median take the full width, the Gaussian its standard deviation. Windows count frame numbers, end
    with the track and never see another. A row without a prediction neither votes nor gets one: filling is
    `fill`'s. With `exclude_filled`, filled rows do not vote either; they receive what the voters around them
    say, and keep their value where there is none. Rates come from the rows' times, else from `fps`, else
    from `FALLBACK_FPS`.
    """
    if kernel not in KERNELS:
        raise ValueError(f"no smoothing kernel '{kernel}', there are: {', '.join(KERNELS)}")
    widths = width_s if isinstance(width_s, Mapping) else dict.fromkeys(table.tasks, width_s)
    for task, seconds in widths.items():
        if task not in table.tasks:
            raise ValueError(f"no predictions of '{task}' to smooth, there are: {', '.join(table.tasks)}")
        if not 0 <= seconds < np.inf:
            raise ValueError(f"cannot smooth '{task}' over {seconds} s: expected a width of 0 s or more")
    rates = MS_PER_S / ms_per_row(table, fps)
    rates = np.where(np.isnan(rates), FALLBACK_FPS, rates)
    columns = {}
    for task, seconds in widths.items():
        has_value = table.predicted(task)
        votes = has_value & ~table.filled if exclude_filled else has_value
        columns[task] = _smooth_task(table, task, KERNELS[kernel], seconds * rates, has_value, votes)
    present = {name: getattr(table, name) for name in table.LAYOUT}
    return RowTable(tracks=table.tracks, **present | columns)


def _smooth_task(
    table: RowTable,
    task: str,
    kernel: Callable,
    widths_rows: Float64[np.ndarray, " tracks"],
    has_value: Bool[np.ndarray, " n"],
    votes: Bool[np.ndarray, " n"],
) -> Float32[np.ndarray, "n c"]:
    smoothed = getattr(table, task).copy()
    for i, width_rows in enumerate(widths_rows):
        part = slice(table.bounds[i], table.bounds[i + 1])
        if not votes[part].any():
            continue
        line = table.row[part] - table.row[part.start]
        dense = np.full((line[-1] + 1, smoothed.shape[1]), np.nan)
        dense[line[votes[part]]] = smoothed[part][votes[part]]
        said = kernel(dense, float(width_rows))[line]
        receives = has_value[part, None] & ~np.isnan(said)
        smoothed[part] = np.where(receives, said, smoothed[part])
    return smoothed


def _window_sums(values: Dense, half: int) -> tuple[Dense, Float64[np.ndarray, "r 1"]]:
    """Sum of the voters in the window of each line, and their number; windows shrink at both ends."""
    votes = np.column_stack([np.nan_to_num(values), ~np.isnan(values[:, :1])])
    total = np.concatenate([np.zeros((1, votes.shape[1])), np.cumsum(votes, axis=0)])
    lines = np.arange(len(values))
    window = total[np.minimum(lines + half + 1, len(values))] - total[np.maximum(lines - half, 0)]
    return window[:, :-1], window[:, -1:]
