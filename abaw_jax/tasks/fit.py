"""How well numbers are told, as sums that add up over batches: the coefficient of determination."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

Sums = Mapping[str, np.ndarray | float]

SMALLEST_SPREAD = 1e-5
"""As a share of the squares: below it a variance is the rounding of float32 sums."""


def fit_sums(
    found: Float[Array, "n d"], wanted: Float[Array, "n d"], mask: Bool[Array, " n"]
) -> dict[str, Array]:
    """Of the rows under the mask, what `r_squared` needs of each column."""
    values = {"sum": wanted, "squares": wanted**2, "error": (found - wanted) ** 2}
    sums = {name: jnp.where(mask[:, None], value, 0).sum(axis=0) for name, value in values.items()}
    return {"n": mask.sum(dtype=jnp.float32)} | sums


def r_squared(sums: Sums) -> np.ndarray:
    """1 - error / variance, column by column; a column that does not vary cannot be told and has 0."""
    spread = sums["squares"] - sums["sum"] ** 2 / np.maximum(sums["n"], 1)
    varies = spread > SMALLEST_SPREAD * sums["squares"]
    return np.where(varies, 1 - sums["error"] / np.where(varies, spread, 1), 0.0)
