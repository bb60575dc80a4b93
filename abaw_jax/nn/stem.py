"""A convolutional stem over rows: each channel by itself, then all channels at each row by itself."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.nn.linear import Linear
from abaw_jax.nn.masking import hide
from abaw_jax.types import DType


class ConvStem(nn.Module):
    """x + pointwise(gelu(depthwise(x))) over `taps` rows; rows that are absent count as the padding does."""

    taps: int = 5
    is_causal: bool = False
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"], present: Bool[Array, "b t"]) -> Float[Array, "b t d"]:
        d = x.shape[-1]
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (self.taps, d))
        bias = self.param("bias", nn.initializers.zeros, (d,))
        after = 0 if self.is_causal else (self.taps - 1) // 2
        y = shifted_sum(hide(x, present), kernel, after) + bias[None, None]
        y = jax.nn.gelu(y, approximate=False).astype(self.dtype)
        return x + Linear(d, d, dtype=self.dtype, name="pointwise")(y)


def shifted_sum(x: Float[Array, "b t d"], kernel: Float[Array, "k d"], after: int) -> Float[Array, "b t d"]:
    """Every channel convolved with its own `k` taps, `after` of them in the future; summed in float32."""
    t, k = x.shape[1], kernel.shape[0]
    padded = jnp.pad(x.astype(jnp.float32), ((0, 0), (k - 1 - after, after), (0, 0)))
    return sum(padded[:, i : i + t] * kernel[i][None, None] for i in range(k))
