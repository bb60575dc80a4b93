"""Smoothing widths and thresholds, chosen on folds of the training rows and never on what is scored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from abaw_jax.evaluation.scores import Scores, evaluate
from abaw_jax.evaluation.smooth import smooth
from abaw_jax.evaluation.statistics import Statistics
from abaw_jax.evaluation.table import RowTable
from abaw_jax.evaluation.thresholds import DEFAULT, tune
from abaw_jax.evaluation.truth import Truth, align

WIDTHS_S = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Default, not from any paper."""
Folds = Sequence[Sequence[str]]
"""Names of tracks; a video is in one fold only."""


@dataclass(frozen=True)
class Tuned:
    """What to apply; `before` and `after` are the scores over held-out folds that it was chosen by."""

    smoothing_s: float | None = None
    thresholds: tuple[float, ...] | None = None
    before: float | None = None
    after: float | None = None


def tune_smoothing(table: RowTable, truth: Truth, score: str, kernel: str, folds: Folds) -> Tuned:
    """The width whose mean score over the folds is best; of equal ones the smaller."""
    found = []
    for width_s in WIDTHS_S:
        smoothed = smooth(table, kernel, width_s) if width_s else table
        found.append(_mean_over(evaluate(smoothed, truth).statistics, folds, score))
    top = int(np.argmax(found))
    return Tuned(smoothing_s=WIDTHS_S[top], before=found[0], after=found[top])


def tune_thresholds(table: RowTable, truth: Truth, score: str, folds: Folds) -> Tuned:
    """One for every unit; 0.5 stays for all unless those of the other folds score better, mean over folds."""
    table = align(table, truth)
    fold_of_track = np.full(len(truth.tracks), -1)
    for number, names in enumerate(folds):
        fold_of_track[[truth.tracks.index(name) for name in names]] = number
    fold = fold_of_track[truth.track]
    before, after = [], []
    for number, names in enumerate(folds):
        learnt = tune(*(a[fold != number] for a in (table.au, truth.au, truth.au_mask)))
        for scores, limits in ((before, None), (after, learnt)):
            scores.append(_mean_over(evaluate(table, truth, limits).statistics, [names], score))
    is_better = np.mean(after) > np.mean(before)
    limits = tune(table.au, truth.au, truth.au_mask) if is_better else np.full(table.au.shape[1], DEFAULT)
    return Tuned(
        thresholds=tuple(limits.tolist()),
        before=float(np.mean(before)),
        after=float(np.mean(after if is_better else before)),
    )


def _mean_over(statistics: Statistics, folds: Folds, score: str) -> float:
    """Over folds, each scored by itself."""
    place = {name: number for number, name in enumerate(statistics.tracks)}
    scores = [
        getattr(Scores.of(statistics.take(np.array([place[name] for name in names]))), score)
        for names in folds
    ]
    return float(np.mean(scores))
