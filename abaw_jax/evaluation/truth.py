"""Labels for rows, and predictions brought into their order."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float64, Int8

from abaw_jax.evaluation.rows import Layout, Rows
from abaw_jax.evaluation.table import RowTable
from abaw_jax.labels import WIDTHS


@dataclass(frozen=True, eq=False)
class Truth(Rows):
    """What the annotators said. Every label comes with a mask; a task without labels is None, mask included.

    `has_image` tells the rows for which the organisers' face crop exists: several published scores count
    those rows alone, so a comparison needs both.
    """

    va: Float64[np.ndarray, "n 2"] | None
    va_mask: Bool[np.ndarray, " n"] | None
    expr: Int8[np.ndarray, " n"] | None
    expr_mask: Bool[np.ndarray, " n"] | None
    au: Int8[np.ndarray, "n 12"] | None
    au_mask: Bool[np.ndarray, "n 12"] | None
    has_image: Bool[np.ndarray, " n"]

    LAYOUT: ClassVar[Layout] = Rows.LAYOUT | {
        "va": (np.float64, (WIDTHS["va"],)),
        "va_mask": (np.bool_, ()),
        "expr": (np.int8, ()),
        "expr_mask": (np.bool_, ()),
        "au": (np.int8, (WIDTHS["au"],)),
        "au_mask": (np.bool_, (WIDTHS["au"],)),
        "has_image": (np.bool_, ()),
    }
    OPTIONAL: ClassVar[frozenset[str]] = frozenset(WIDTHS) | {f"{task}_mask" for task in WIDTHS}

    def __post_init__(self):
        super().__post_init__()
        for task in WIDTHS:
            if (getattr(self, task) is None) != (getattr(self, f"{task}_mask") is None):
                raise ValueError(f"Truth: '{task}' and '{task}_mask' come together or not at all")
        self._check_finite()
        self._check_range("expr", 0, WIDTHS["expr"] - 1)
        self._check_range("au", 0, 1)

    @classmethod
    def build(cls, tracks, track, row, **columns) -> "Truth":
        """As `Rows.build`; rows are taken to have an image unless told otherwise."""
        return super().build(tracks, track, row, **{"has_image": np.ones(len(row), np.bool_)} | columns)

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(task for task in WIDTHS if getattr(self, task) is not None)

    def _check_finite(self):
        """One NaN would make every score NaN."""
        if self.va is None:
            return
        is_wrong = self.va_mask & ~np.isfinite(self.va).all(axis=1)
        if is_wrong.any():
            at = int(is_wrong.argmax())
            raise ValueError(f"{self.describe(at)}: valid 'va' is {self.va[at]}, expected finite numbers")

    def _check_range(self, task: str, low: int, high: int):
        """A valid label out of range would be counted in some other class's cell."""
        label, mask = getattr(self, task), getattr(self, f"{task}_mask")
        if label is None:
            return
        is_wrong = mask & ((label < low) | (label > high))
        if is_wrong.any():
            at = int(np.argwhere(is_wrong)[0][0])
            raise ValueError(f"{self.describe(at)}: valid '{task}' is {label[at]}, expected {low} to {high}")


def align(table: RowTable, truth: Truth) -> RowTable:
    """The predictions for the rows of `truth`, in their order; every one of those rows must be there."""
    is_missing = table.locate(truth) < 0
    if is_missing.any():
        first = truth.describe(int(is_missing.argmax()))
        raise ValueError(
            f"{is_missing.sum()} of {len(truth)} label rows have no row in the table of predictions, "
            f"the first is {first}: fill the gaps first (abaw_jax.evaluation.fill)"
        )
    return table.in_order_of(truth)
