"""Moments of (prediction, label) pairs that merge exactly, and the CCC they give."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

SMALLEST_DENOMINATOR = 1e-30
"""A CCC denominator below this is rounding, not variance; the CCC is 0 then by convention."""


class Moments(NamedTuple):
    """Count, means and centred second moments (sums, not divided by n) of pairs; all fields have one shape.

    Centred rather than raw sums: they keep their digits, and a constant gives exactly 0.
    """

    n: Float[np.ndarray, "*s"]
    mean_x: Float[np.ndarray, "*s"]
    mean_y: Float[np.ndarray, "*s"]
    m_xx: Float[np.ndarray, "*s"]
    m_yy: Float[np.ndarray, "*s"]
    m_xy: Float[np.ndarray, "*s"]

    @classmethod
    def of(
        cls,
        x: Float[np.ndarray, "n d"],
        y: Float[np.ndarray, "n d"],
        group: Int[np.ndarray, " n"],
        groups: int,
    ) -> "Moments":
        """Moments of every group of rows for every column: [groups, d]. Groups may lie in any order."""
        n = np.bincount(group, minlength=groups).astype(np.float64)
        columns = []
        for x_column, y_column in zip(x.T, y.T, strict=True):
            mean_x, dx = _centre(x_column, group, n)
            mean_y, dy = _centre(y_column, group, n)
            products = (np.bincount(group, product, groups) for product in (dx * dx, dy * dy, dx * dy))
            columns.append((n, mean_x, mean_y, *products))
        return cls(*(np.stack(field, axis=1) for field in zip(*columns, strict=True)))

    def pool(self) -> "Moments":
        """Axis 0 as one set of pairs (Chan, Golub and LeVeque 1979, for any number of parts at once)."""
        mean_x, dx = _pool_mean(self.n, self.mean_x)
        mean_y, dy = _pool_mean(self.n, self.mean_y)
        return Moments(
            n=self.n.sum(axis=0),
            mean_x=mean_x,
            mean_y=mean_y,
            m_xx=(self.m_xx + self.n * dx * dx).sum(axis=0),
            m_yy=(self.m_yy + self.n * dy * dy).sum(axis=0),
            m_xy=(self.m_xy + self.n * dx * dy).sum(axis=0),
        )

    def merge(self, other: "Moments") -> "Moments":
        return Moments(*(np.stack(pair) for pair in zip(self, other, strict=True))).pool()

    def ccc(self) -> Float[np.ndarray, "*s"]:
        """Concordance correlation with population moments; 0 where nothing varies or nothing is there."""
        n = np.maximum(self.n, 1)
        denominator = (self.m_xx + self.m_yy) / n + (self.mean_x - self.mean_y) ** 2
        is_defined = denominator > SMALLEST_DENOMINATOR
        return np.divide(2 * self.m_xy / n, denominator, out=np.zeros_like(denominator), where=is_defined)


def _centre(column: np.ndarray, group: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each group, and what each row differs from it.

    Each group is first moved by one of its own values, so that a constant has exactly that mean and no
    spread. Summed as it is, its mean would be off in the last digit, and rounding would correlate.
    """
    pivot = np.zeros(len(n))
    pivot[group] = column
    moved = column - pivot[group]
    mean = np.bincount(group, moved, len(n)) / np.maximum(n, 1)
    return pivot + mean, moved - mean[group]


def _pool_mean(n: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over axis 0, and what each part differs from it; by a pivot again, for the same reason."""
    pivot = np.max(mean, axis=0, where=n > 0, initial=-np.inf)
    pivot = np.where(np.isfinite(pivot), pivot, 0.0)
    moved = np.where(n > 0, mean - pivot, 0.0)
    shift = (n * moved).sum(axis=0) / np.maximum(n.sum(axis=0), 1)
    return pivot + shift, moved - shift
