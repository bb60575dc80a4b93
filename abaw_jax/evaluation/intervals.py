"""How sure a score is: bootstrap over tracks, alone and paired.

Rows of one track resemble each other, so tracks are drawn, not rows. Every score is a function of sums over
tracks; a resample is a vector of how often each track was drawn, and a thousand of them are one product of
matrices.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from abaw_jax.evaluation.moments import Moments
from abaw_jax.evaluation.scores import class_f1
from abaw_jax.evaluation.statistics import Statistics
from abaw_jax.labels import WIDTHS

RESAMPLES = 1000
LEVEL = 0.95

Samples = dict[str, Float64[np.ndarray, " resamples"]]


@dataclass(frozen=True)
class Interval:
    """A score and the percentile interval around it."""

    score: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Run a minus run b. `p_value` is two-sided; `share_better` is the share of resamples in which a wins."""

    difference: float
    low: float
    high: float
    p_value: float
    share_better: float


def intervals(
    statistics: Statistics, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> dict[str, Interval]:
    """Percentile intervals of `va`, `valence`, `arousal`, `expr`, `au`, `mtl`: those that were scored."""
    statistics = statistics.take(np.flatnonzero(_has_rows(statistics)))
    tracks = len(statistics.tracks)
    samples = resampled_scores(statistics, draw_weights(tracks, resamples, seed))
    scores = resampled_scores(statistics, np.ones((1, tracks)))
    return {name: Interval(float(scores[name][0]), *_bounds(samples[name], level)) for name in samples}


def compare(
    a: Statistics, b: Statistics, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> dict[str, Comparison]:
    """Paired bootstrap of two runs on the same tracks: both are scored on the same draws."""
    _check_paired(a, b)
    index = np.flatnonzero(_has_rows(a))
    a, b = a.take(index), b.take(index)
    once = np.ones((1, len(index)))
    weights = draw_weights(len(index), resamples, seed)
    difference = _subtract(resampled_scores(a, once), resampled_scores(b, once))
    samples = _subtract(resampled_scores(a, weights), resampled_scores(b, weights))
    return {
        name: Comparison(
            difference=float(difference[name][0]),
            low=_bounds(drawn, level)[0],
            high=_bounds(drawn, level)[1],
            p_value=_p_value(drawn),
            share_better=float(np.mean(drawn > 0)),
        )
        for name, drawn in samples.items()
    }


def draw_weights(tracks: int, resamples: int, seed: int) -> Int64[np.ndarray, "resamples tracks"]:
    """How often each track is drawn when as many are drawn as there are, with replacement."""
    if tracks < 1 or resamples < 1:
        raise ValueError(f"a bootstrap needs tracks and resamples, found {tracks} and {resamples}")
    return np.random.default_rng(seed).multinomial(tracks, np.full(tracks, 1 / tracks), size=resamples)


def resampled_scores(statistics: Statistics, weights: np.ndarray) -> Samples:
    """Every score under every line of weights; each weight says how often its track counts."""
    weights = weights.astype(np.float64)
    samples: Samples = {}
    if statistics.va is not None:
        ccc = _resample_moments(statistics.va, weights).ccc()
        samples |= {"va": ccc.mean(axis=1), "valence": ccc[:, 0], "arousal": ccc[:, 1]}
    if statistics.expr is not None:
        samples["expr"] = class_f1(_resample_counts(statistics.expr, weights)).mean(axis=1)
    if statistics.au is not None:
        samples["au"] = class_f1(_resample_counts(statistics.au, weights))[..., 1].mean(axis=1)
    if len(statistics.tasks) == len(WIDTHS):
        samples["mtl"] = sum(samples[task] for task in WIDTHS)
    return samples


def _resample_counts(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    drawn = weights @ counts.reshape(len(counts), -1).astype(np.float64)
    return drawn.reshape(len(weights), *counts.shape[1:])


def _resample_moments(va: Moments, weights: np.ndarray) -> Moments:
    """Centred moments do not add up; sums about a fixed point, here the pooled mean, do."""
    centre = va.pool()
    dx = np.where(va.n > 0, va.mean_x - centre.mean_x, 0.0)
    dy = np.where(va.n > 0, va.mean_y - centre.mean_y, 0.0)
    spread = (va.m_xx + va.n * dx * dx, va.m_yy + va.n * dy * dy, va.m_xy + va.n * dx * dy)
    n, x, y, xx, yy, xy = (weights @ sums for sums in (va.n, va.n * dx, va.n * dy, *spread))
    x, y = x / np.maximum(n, 1), y / np.maximum(n, 1)
    return Moments(n, centre.mean_x + x, centre.mean_y + y, xx - n * x * x, yy - n * y * y, xy - n * x * y)


def _has_rows(statistics: Statistics) -> np.ndarray:
    """Tracks that count for some task; to draw the others would only shrink the resample."""
    return np.sum([statistics.valid_rows(task) for task in statistics.tasks], axis=0) > 0


def _check_paired(a: Statistics, b: Statistics):
    if a.tasks != b.tasks:
        raise ValueError(f"runs to compare were scored on different tasks: {a.tasks} and {b.tasks}")
    if odd := sorted({*a.tracks} ^ {*b.tracks}):
        raise ValueError(f"runs to compare differ in {len(odd)} tracks, the first is '{odd[0]}'")
    for task in a.tasks:
        differs = a.valid_rows(task) != b.valid_rows(task)
        if differs.any():
            at = int(differs.argmax())
            found = f"{a.valid_rows(task)[at]} and {b.valid_rows(task)[at]}"
            raise ValueError(f"runs to compare have {found} valid '{task}' rows in track '{a.tracks[at]}'")


def _subtract(a: Samples, b: Samples) -> Samples:
    return {name: a[name] - b[name] for name in a}


def _bounds(drawn: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _p_value(drawn: np.ndarray) -> float:
    """Twice the smaller tail, the observed run counted in: never 0 from a finite number of resamples."""
    tail = min(np.sum(drawn <= 0), np.sum(drawn >= 0))
    return float(min(1.0, 2 * (tail + 1) / (len(drawn) + 1)))
