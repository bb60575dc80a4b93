"""Fusion of a map at several dilations: MDFA.

After the public module of this name: atrous pyramid pooling (https://arxiv.org/abs/1706.05587) and squeeze
and excitation over channels and places (https://arxiv.org/abs/1803.02579), joined by their maximum.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.nn.convolution import Conv, Size
from abaw_jax.nn.norms import BatchNorm
from abaw_jax.types import DType


class DilatedFusion(nn.Module):
    """Five views of each place (itself, three rings around it, the whole map), weighed and made one."""

    width: int
    dilations: Sequence[int] = (6, 12, 18)
    size: Size = 3
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], real: Bool[Array, "b h w"], train: bool = False
    ) -> Float[Array, "b h w d"]:
        """Places that are not real are zeros to their neighbours."""
        x = jnp.where(real[..., None], x, 0)

        def branch(y: Array, real: Array, name: str, size: Size = 1, dilation: int = 1) -> Array:
            conv = Conv(self.width, size, use_bias=True, dilation=dilation, dtype=self.dtype, name=name)
            return jax.nn.relu(BatchNorm(self.dtype, name=f"{name}_norm")(conv(y), real, train))

        views = [branch(x, real, "here")]
        views += [branch(x, real, f"ring_{d}", self.size, d) for d in self.dilations]
        whole = branch(mean_of(x, real), real.any((1, 2), keepdims=True), "whole")
        views.append(jnp.broadcast_to(whole, views[0].shape))
        u = jnp.concatenate(views, axis=-1)
        by_channel = jax.nn.relu(Conv(1, 1, dtype=self.dtype, name="of_all")(mean_of(u, real)))
        by_place = jax.nn.sigmoid(Conv(1, 1, dtype=self.dtype, name="of_place")(u))
        weighed = jnp.maximum(u * by_channel, u * by_place)
        return branch(weighed * u, real, "out")


def mean_of(x: Float[Array, "b h w c"], real: Bool[Array, "b h w"]) -> Float[Array, "b 1 1 c"]:
    """Over the real places; zero where there is none."""
    count = jnp.maximum(real.sum((1, 2), keepdims=True), 1)[..., None]
    return (jnp.where(real[..., None], x, 0).sum((1, 2), keepdims=True) / count).astype(x.dtype)
