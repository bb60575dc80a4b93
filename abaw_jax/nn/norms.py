"""Norms that know which entries are real."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.types import DType

STATISTICS = "batch_stats"
"""The collection that `BatchNorm` keeps."""


class BatchNorm(nn.Module):
    """By the moments of each channel over what is real in the batch; else by their moving averages.

    Momentum and epsilon are torch's. Where nothing is real, all of it is counted: its mean is finite.
    """

    dtype: DType = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "*b d"], real: Bool[Array, "*b"] | None = None, train: bool = False
    ) -> Float[Array, "*b d"]:
        norm = nn.BatchNorm(not train, momentum=0.9, epsilon=1e-5, dtype=self.dtype, name="norm")
        if real is None:
            return norm(x)
        real = jnp.broadcast_to(real, x.shape[:-1])
        return norm(x, mask=(real | ~real.any())[..., None])
