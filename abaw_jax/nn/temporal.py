"""Dilated causal convolutions over rows (TCN; Bai, Kolter, Koltun 2018, https://arxiv.org/abs/1803.01271).

Rows that are absent count as the padding does: they are zeros at the input of every convolution.
"""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.nn.activations import activation
from abaw_jax.nn.linear import Linear, affine
from abaw_jax.nn.masking import hide
from abaw_jax.types import DType


def receptive_field(taps: int, levels: int) -> int:
    """Rows that one row of the last level has seen, itself among them."""
    return 1 + 2 * (taps - 1) * (2**levels - 1)


class CausalConv(nn.Module):
    """What each row makes of itself and of `taps` - 1 rows before it, `dilation` apart."""

    width: int
    taps: int = 3
    dilation: int = 1
    is_normed: bool = False
    """Weight norm (Salimans, Kingma 2016): a direction and a length of each output."""
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t w"]:
        shape = (self.taps, x.shape[-1], self.width)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.width,))
        if self.is_normed:
            length = jnp.sqrt(jnp.square(kernel).sum((0, 1)))
            scale = self.param("scale", lambda _: length)
            kernel = kernel * (scale / length)[None, None]
        # One product over all taps: a CPU has no fast dilated convolution.
        before = (self.taps - 1) * self.dilation
        padded, t = jnp.pad(x, ((0, 0), (before, 0), (0, 0))), x.shape[1]
        seen = [padded[:, i * self.dilation : i * self.dilation + t] for i in range(self.taps)]
        return affine(jnp.concatenate(seen, axis=-1), kernel.reshape(-1, self.width), bias, self.dtype)


class TemporalBlock(nn.Module):
    """act(x + convolutions(x)), two of them with dropout behind each."""

    width: int
    taps: int = 3
    dilation: int = 1
    activation: str = "relu"
    dropout: float = 0.1
    drops_channels: bool = False
    """Whole channels of a window at once rather than single numbers."""
    is_normed: bool = False
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], present: Bool[Array, "b t"], train: bool = False
    ) -> Float[Array, "b t w"]:
        act, over = activation(self.activation), (1,) if self.drops_channels else ()
        y = x = hide(x, present)
        for name in ("first", "second"):
            convolve = CausalConv(self.width, self.taps, self.dilation, self.is_normed, self.dtype, name=name)
            y = convolve(hide(y, present))
            y = nn.Dropout(self.dropout, broadcast_dims=over, deterministic=not train)(act(y))
        if x.shape[-1] != self.width:
            x = Linear(x.shape[-1], self.width, dtype=self.dtype, name="across")(x)
        return act(x.astype(self.dtype) + y)


class Tcn(nn.Module):
    """Blocks of rising dilation 1, 2, 4, …, one for each width."""

    widths: Sequence[int]
    block: Callable[..., nn.Module] = TemporalBlock
    """With the settings that all of them share."""

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], present: Bool[Array, "b t"], train: bool = False
    ) -> Float[Array, "b t w"]:
        """What each row has seen of itself and its past."""
        for level, width in enumerate(self.widths):
            x = self.block(width, dilation=2**level, name=f"level_{level}")(x, present, train)
        return x
