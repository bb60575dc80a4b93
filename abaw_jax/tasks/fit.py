"""How well numbers are told, as sums that add up over batches: the coefficient of determination."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

Sums = Mapping[str, Array]


def fit_sums(
    found: Float[Array, "n d"], wanted: Float[Array, "n d"], mask: Bool[Array, " n"]
) -> dict[str, Array]:
    """Of the rows under the mask, what `r_squared` needs of each column."""
    weight = mask[:, None].astype(jnp.float32)
    return {
        "n": weight.sum(),
        "sum": (weight * wanted).sum(axis=0),
        "squares": (weight * wanted**2).sum(axis=0),
        "error": (weight * (found - wanted) ** 2).sum(axis=0),
    }


def r_squared(sums: Mapping[str, np.ndarray]) -> np.ndarray:
    """1 - error / variance, column by column; a column that does not vary cannot be told and has 0."""
    spread = sums["squares"] - sums["sum"] ** 2 / np.maximum(sums["n"], 1)
    return np.where(spread > 0, 1 - sums["error"] / np.where(spread > 0, spread, 1), 0.0)
