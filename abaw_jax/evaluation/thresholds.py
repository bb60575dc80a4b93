"""From probabilities of action units to decisions, and the thresholds that make the best ones.

Tune on training folds or by cross-validation: thresholds tuned on the rows they are then scored on flatter.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Shaped

DEFAULT = 0.5
GRID = tuple(i / 10 for i in range(1, 10))
"""The published grid (HSE, 5th edition; from .508 to .537 in mean F1 there)."""

Thresholds = Sequence[float | int] | Shaped[np.ndarray, " c"]


def decide(
    probabilities: Float32[np.ndarray, "n c"], thresholds: Thresholds | None = None
) -> Bool[np.ndarray, "n c"]:
    """A unit is active at its threshold or above. One threshold a unit, by default 0.5 for all."""
    units = probabilities.shape[1]
    chosen = _as_float32([DEFAULT] * units if thresholds is None else thresholds)
    if chosen.shape != (units,):
        raise ValueError(f"{chosen.size} thresholds for {units} action units, expected one for each")
    return probabilities >= chosen


def tune(
    probabilities: Float32[np.ndarray, "n c"],
    labels: Int8[np.ndarray, "n c"],
    mask: Bool[np.ndarray, "n c"],
    grid: Sequence[float | int] = GRID,
) -> Float64[np.ndarray, " c"]:
    """The threshold of each unit that maximises its F1 over valid rows.

    Of equal ones the nearest to 0.5, then the lower: without evidence nothing moves. So a unit that is never
    active in the valid rows, about which nothing can be learnt, stays as near to 0.5 as the grid allows.
    """
    if not len(grid) or not np.all(np.isfinite(grid)):
        raise ValueError(f"a grid of thresholds needs finite numbers, found {grid}")
    if np.any(mask & ~np.isfinite(probabilities)):
        raise ValueError("a row with valid labels has no finite probability: fill the gaps first")
    grid = np.unique(np.asarray(grid, np.float64))
    f1 = np.stack([_f1_along(grid, *unit) for unit in zip(probabilities.T, labels.T, mask.T, strict=True)])
    by_preference = np.lexsort((grid, np.abs(grid - DEFAULT)))
    return grid[by_preference][f1[:, by_preference].argmax(axis=1)]


def _f1_along(
    grid: Float64[np.ndarray, " g"],
    probability: Float32[np.ndarray, " n"],
    label: Int8[np.ndarray, " n"],
    mask: Bool[np.ndarray, " n"],
) -> Float64[np.ndarray, " g"]:
    """F1 of one unit at every threshold, from one histogram: how many thresholds each row reaches."""
    reached = np.searchsorted(_as_float32(grid), probability[mask], side="right")
    is_active = label[mask] == 1
    bins = len(grid) + 1
    # Rows that reach a threshold reach all lower ones: sums from the top.
    decided, hits = (
        np.bincount(some, minlength=bins)[::-1].cumsum()[::-1][1:] for some in (reached, reached[is_active])
    )
    denominator = decided + is_active.sum()
    return np.divide(2.0 * hits, denominator, out=np.zeros(len(grid)), where=denominator > 0)


def _as_float32(thresholds: Thresholds) -> Float32[np.ndarray, " c"]:
    """In the precision of the probabilities: a probability of 0.7 must reach the threshold 0.7."""
    return np.asarray(thresholds, np.float32)
