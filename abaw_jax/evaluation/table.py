"""The table of predictions, one row a frame: what evaluation, submission, videos and page pass around."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float32, Float64

from abaw_jax.evaluation.rows import Layout, Rows
from abaw_jax.labels import VA_RANGE, WIDTHS

NEUTRAL = {
    "va": np.zeros(WIDTHS["va"], np.float32),
    "expr": np.eye(1, WIDTHS["expr"], dtype=np.float32)[0],
    "au": np.zeros(WIDTHS["au"], np.float32),
}
"""What is said of a face when nothing is known: no affect, the class Neutral (id 0), no action unit."""


@dataclass(frozen=True, eq=False)
class RowTable(Rows):
    """Predictions for rows of tracks. NaN in a prediction means no prediction for that row.

    A task that nobody predicted is None. Expressions and action units are probabilities; decisions are
    taken when scoring, so that thresholds and smoothing can still act.
    """

    time_ms: Float64[np.ndarray, " n"]
    va: Float32[np.ndarray, "n 2"] | None
    expr: Float32[np.ndarray, "n 8"] | None
    au: Float32[np.ndarray, "n 12"] | None
    no_face: Bool[np.ndarray, " n"]
    no_sound: Bool[np.ndarray, " n"]
    filled: Bool[np.ndarray, " n"]

    LAYOUT: ClassVar[Layout] = Rows.LAYOUT | {
        "time_ms": (np.float64, ()),
        **{task: (np.float32, (width,)) for task, width in WIDTHS.items()},
        "no_face": (np.bool_, ()),
        "no_sound": (np.bool_, ()),
        "filled": (np.bool_, ()),
    }
    OPTIONAL: ClassVar[frozenset[str]] = frozenset(WIDTHS)

    def __post_init__(self):
        super().__post_init__()
        for task in self.tasks:
            is_infinite = np.isinf(getattr(self, task)).any(axis=1)
            if is_infinite.any():
                raise ValueError(f"{self.describe(int(is_infinite.argmax()))}: '{task}' is infinite")

    @classmethod
    def build(cls, tracks, track, row, **columns) -> "RowTable":
        """As `Rows.build`; times not given are NaN (unknown), flags not given are off."""
        off = np.zeros(len(row), np.bool_)
        defaults = {"time_ms": np.full(len(row), np.nan), "no_face": off, "no_sound": off, "filled": off}
        return super().build(tracks, track, row, **defaults | columns)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks with predictions, in the order of the schema."""
        return tuple(task for task in WIDTHS if getattr(self, task) is not None)

    def predicted(self, task: str) -> Bool[np.ndarray, " n"]:
        """Rows with a prediction. A vector that is NaN in part says nothing and counts as none."""
        values = getattr(self, task)
        return ~np.isnan(values).any(axis=1)


def clipped(table: RowTable) -> RowTable:
    """Valence and arousal within their range: what a linear head says may lie beyond."""
    if table.va is None:
        return table
    return replace(table, va=table.va.clip(*VA_RANGE))
