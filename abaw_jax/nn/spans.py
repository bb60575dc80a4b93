"""Self-attention at several scales, each with a span that the window itself decides on.

Soft spans: Sukhbaatar et al. 2019 (https://arxiv.org/abs/1905.07799, equation 5). How scales are joined is a
default, not from a paper.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.nn.masking import mean_over
from abaw_jax.nn.multihead import EPSILON, MultiHead
from abaw_jax.nn.transformer import MLP
from abaw_jax.types import DType

WHOLE = 0
"""The scale that reaches over the whole window."""


def soft_span(distance: Float[Array, "q k"], span: Float[Array, " b"], ramp: float) -> Float[Array, "b q k"]:
    """1 within the span, falling to 0 over `ramp` rows; gradients reach the span on the ramp alone."""
    return jnp.clip((ramp + span[:, None, None] - distance[None]) / ramp, 0, 1)


class SpannedLayer(nn.Module):
    """x + a learned mixture of attention at each scale, then x + mlp(x), normed before each part."""

    heads: int
    scales: Sequence[int] = (8, 32, WHOLE)
    """Rows that attention reaches at most, before and after; 0: all of them."""
    ramp: float = 8.0
    """Rows over which a span fades out."""
    expansion: int = 2
    """Of the network, over the width."""
    dropout: float = 0.1
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], present: Bool[Array, "b t"], train: bool = False
    ) -> Float[Array, "b t d"]:
        t, d = x.shape[1:]
        drop = nn.Dropout(self.dropout, deterministic=not train)
        y = nn.LayerNorm(EPSILON, dtype=self.dtype, name="attention_norm")(x)
        seen = mean_over(y, present).astype(jnp.float32)
        asked = MLP(d, len(self.scales), name="span")(seen[:, None])[:, 0]
        distance = jnp.abs(jnp.arange(t)[:, None] - jnp.arange(t)[None]).astype(jnp.float32)
        shares = jax.nn.softmax(self.param("mixture", nn.initializers.zeros, (len(self.scales),)))
        heard = jnp.zeros((), self.dtype)
        for i, scale in enumerate(self.scales):
            # The whole is as long as what is there, whatever the window was filled up to.
            reach = jnp.where(scale == WHOLE, present.sum(axis=1), scale)
            span = soft_span(distance, reach * jax.nn.sigmoid(asked[:, i]), self.ramp)
            is_near = distance <= (scale or t)
            share = jnp.where(present[:, None] & is_near[None], span, 0)
            attention = MultiHead(self.heads, dtype=self.dtype, name=f"scale_{scale or 'whole'}")
            heard += shares[i].astype(self.dtype) * attention(y, y, share[:, None], train)
        x = x + drop(heard)
        y = nn.LayerNorm(EPSILON, dtype=self.dtype, name="network_norm")(x)
        return x + drop(MLP(self.expansion * d, d, self.dtype, name="network")(y))
