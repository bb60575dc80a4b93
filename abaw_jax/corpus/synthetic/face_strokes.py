"""Soft strokes to draw with, and AU intensities shaped to draw with them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from abaw_jax.corpus.synthetic.face import AU_COLUMN

EDGE_UNITS = 0.03  # about one pixel of a crop


def edge(distance: np.ndarray, softness: float = EDGE_UNITS) -> np.ndarray:
    return np.clip(distance * np.float32(1 / softness) + np.float32(0.5), 0, 1)


def bump(distance: np.ndarray, width: float) -> np.ndarray:
    scaled = distance * np.float32(1 / width)
    return np.exp(-scaled * scaled)


def power(base: np.ndarray, exponent: float) -> np.ndarray:
    return np.power(base, np.float32(exponent))


class Units:
    """Intensities of a batch by AU number, shaped to broadcast over pixels."""

    def __init__(self, au: Float[np.ndarray, "n 12"], ndim: int):
        self._au = au.reshape(len(au), 12, *[1] * (ndim - 1))

    def __getitem__(self, number: int) -> np.ndarray:
        return self._au[:, AU_COLUMN[number]]
