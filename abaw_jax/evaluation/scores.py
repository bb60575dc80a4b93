"""The official scores of the challenges, exact: float64, on the host, over all valid rows pooled.

VA: the mean over valence and arousal of one CCC over the rows of all tracks, with population moments. EXPR:
F1 averaged over exactly eight classes, absent ones included. AU: F1 of the active class averaged over twelve
units. MTL: the sum of the three. A division by zero gives 0 (Kollias et al., ABAW challenges; the convention
for zero is scikit-learn's, which most participants follow).
"""

from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float, Num

from abaw_jax.evaluation.statistics import Statistics, collect
from abaw_jax.evaluation.table import RowTable
from abaw_jax.evaluation.thresholds import Thresholds
from abaw_jax.evaluation.truth import Truth
from abaw_jax.labels import ACTION_UNITS, EXPRESSIONS, VA, WIDTHS


@dataclass(frozen=True)
class Scores:
    """Scores over one set of rows; what could not be scored is None. `mtl` needs all three tasks."""

    va: float | None
    expr: float | None
    au: float | None
    mtl: float | None
    ccc: dict[str, float] | None
    expr_f1: dict[str, float] | None
    au_f1: dict[str, float] | None
    valid_rows: dict[str, int]

    @classmethod
    def of(cls, statistics: Statistics) -> "Scores":
        details = dict.fromkeys(WIDTHS)
        if statistics.va is not None:
            details["va"] = dict(zip(VA, statistics.va.pool().ccc().tolist(), strict=True))
        if statistics.expr is not None:
            f1 = class_f1(statistics.expr.sum(axis=0))
            details["expr"] = dict(zip(EXPRESSIONS, f1.tolist(), strict=True))
        if statistics.au is not None:
            f1 = class_f1(statistics.au.sum(axis=0))[:, 1]
            details["au"] = dict(zip(ACTION_UNITS, f1.tolist(), strict=True))
        scores = {task: f and float(np.mean(list(f.values()))) for task, f in details.items()}
        return cls(
            **scores,
            mtl=None if None in scores.values() else sum(scores.values()),
            ccc=details["va"],
            expr_f1=details["expr"],
            au_f1=details["au"],
            valid_rows={task: int(statistics.valid_rows(task).sum()) for task in statistics.tasks},
        )


@dataclass(frozen=True)
class Result:
    """Scores over every label row (the official ones) and over rows with an image (as some publish them)."""

    all_rows: Scores
    with_image: Scores
    statistics: Statistics
    """Of all rows, track by track: what intervals are drawn from."""
    statistics_with_image: Statistics

    def as_dict(self) -> dict:
        """Plain numbers and names, ready for JSON."""
        return {"all_rows": asdict(self.all_rows), "with_image": asdict(self.with_image)}


def evaluate(table: RowTable, truth: Truth, thresholds: Thresholds | None = None) -> Result:
    """Score every task that has both predictions and labels.

    The expression is the most probable one; a unit is active at its threshold, by default 0.5. Predictions
    are needed for every label row: fill gaps first, by a rule that can be named.
    """
    every, with_image = collect(table, truth, thresholds)
    return Result(Scores.of(every), Scores.of(with_image), every, with_image)


def f1(
    hits: Num[np.ndarray, "*s"], decided: Num[np.ndarray, "*s"], labelled: Num[np.ndarray, "*s"]
) -> Float[np.ndarray, "*s"]:
    """2 hits / (decided + labelled): the harmonic mean of precision and recall, 0 where it is undefined."""
    denominator = np.asarray(decided + labelled, np.float64)
    return np.divide(2.0 * hits, denominator, out=np.zeros_like(denominator), where=denominator > 0)


def class_f1(confusion: Num[np.ndarray, "*s c c"]) -> Float[np.ndarray, "*s c"]:
    """F1 of every class of [label, decision] counts."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return f1(hits, confusion.sum(axis=-2), confusion.sum(axis=-1))
