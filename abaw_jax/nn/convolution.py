"""Convolutions padded as torch pads them, run in the way that measured fastest."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.nn.linear import affine
from abaw_jax.types import DType

LAYOUT = ("NHWC", "HWIO", "NHWC")


class Conv(nn.Module):
    """k × k with k // 2 of padding on every side; 1 × 1 is one product, on a CPU two to four times faster."""

    outputs: int
    size: int = 3
    stride: int = 1
    use_bias: bool = False
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        shape = (self.size, self.size, x.shape[-1], self.outputs)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.outputs,)) if self.use_bias else None
        if self.size == 1:
            return affine(x[:, :: self.stride, :: self.stride], kernel[0, 0], bias, self.dtype)
        edge, x, kernel = (self.size // 2,) * 2, x.astype(self.dtype), kernel.astype(self.dtype)
        y = jax.lax.conv_general_dilated(
            x, kernel, (self.stride,) * 2, (edge, edge), dimension_numbers=LAYOUT
        )
        return y if bias is None else y + bias.astype(self.dtype)[None, None, None]


class DepthwiseConv(nn.Module):
    """k × k of every channel by itself, the map keeping its size."""

    size: int = 7
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w d"]) -> Float[Array, "b h w d"]:
        d = x.shape[-1]
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (self.size, self.size, 1, d))
        bias = self.param("bias", nn.initializers.zeros, (d,))
        run = shifted_sum if jax.default_backend() == "cpu" else grouped
        return (
            run(x.astype(self.dtype), kernel.astype(self.dtype)) + bias.astype(self.dtype)[None, None, None]
        )


def grouped(x: Float[Array, "b h w d"], kernel: Float[Array, "k k 1 d"]) -> Float[Array, "b h w d"]:
    """As a convolution of d groups."""
    edge = (kernel.shape[0] // 2,) * 2
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), (edge, edge), dimension_numbers=LAYOUT, feature_group_count=x.shape[-1]
    )


@jax.jit
def shifted_sum(x: Float[Array, "b h w d"], kernel: Float[Array, "k k 1 d"]) -> Float[Array, "b h w d"]:
    """The same as a sum of shifted maps, fused into one pass: 7 to 12 times faster on a CPU at 7 × 7."""
    (_, h, w, _), k = x.shape, kernel.shape[0]
    edge = (k // 2,) * 2
    padded, kernel = jnp.pad(x, ((0, 0), edge, edge, (0, 0))).astype(jnp.float32), kernel.astype(jnp.float32)
    total = jnp.zeros(x.shape)
    for i in range(k):
        for j in range(k):
            total += padded[:, i : i + h, j : j + w] * kernel[i, j, 0][None, None, None]
    return total.astype(x.dtype)
