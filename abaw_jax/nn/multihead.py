"""Attention of one sequence to another, whose weights may be shared out softly, and post-norm layers of it.

As torch's MultiheadAttention and TransformerEncoderLayer, which most published systems are made of.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.nn.activations import activation
from abaw_jax.nn.linear import Linear
from abaw_jax.types import DType

EPSILON = 1e-5
"""Of torch's layer norms."""


def weigh(
    scores: Float[Array, "b h q k"], share: Float[Array, "b #h #q k"] | Bool[Array, "b #h #q k"]
) -> Float[Array, "b h q k"]:
    """Weights in proportion to share · exp(scores), rows adding up to 1; all zeros where nothing has a share.

    A share is a mask, or a soft one between 0 and 1 that gradients flow through.
    """
    share = share.astype(jnp.float32)
    highest = jnp.where(share > 0, scores, jnp.finfo(jnp.float32).min).max(axis=-1, keepdims=True)
    # Where nothing has a share, the highest is the lowest number: not to be subtracted.
    highest = jax.lax.stop_gradient(jnp.maximum(highest, -1e30))
    weights = share * jnp.exp(jnp.where(share > 0, scores - highest, 0))
    total = weights.sum(axis=-1, keepdims=True)
    return weights / jnp.where(total > 0, total, 1)


class MultiHead(nn.Module):
    """What each entry of `x` hears of `memory`.

    The bias of the keys is never learnt, as it moves all scores of a query alike; published counts have it.
    """

    heads: int
    dropout: float = 0.0
    """Of the weights."""
    width: int | None = None
    """Of queries, keys and values; None: that of x."""
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b q d"],
        memory: Float[Array, "b k e"],
        share: Float[Array, "b #h #q k"] | Bool[Array, "b #h #q k"],
        train: bool = False,
    ) -> Float[Array, "b q w"]:
        width = self.width or x.shape[-1]
        if width % self.heads:
            raise ValueError(f"heads: found {self.heads}, expected a divisor of the width {width}")
        q, k, v = (
            Linear(given.shape[-1], width, dtype=self.dtype, name=name)(given)
            for name, given in (("q", x), ("k", memory), ("v", memory))
        )
        q, k, v = (y.reshape(*y.shape[:2], self.heads, -1) for y in (q, k, v))
        f32 = jnp.float32
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k, preferred_element_type=f32) * q.shape[-1] ** -0.5
        weights = nn.Dropout(self.dropout, deterministic=not train)(weigh(scores, share))
        heard = jnp.einsum("bhqk,bkhd->bqhd", weights.astype(v.dtype), v, preferred_element_type=f32)
        return Linear(width, width, dtype=self.dtype, name="out")(heard.reshape(*x.shape[:2], width))


class PostNormLayer(nn.Module):
    """norm(x + attention), then norm(x + network): Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762)."""

    heads: int
    hidden: int
    dropout: float = 0.1
    drops_sums: bool = True
    """Also what is added to x, as torch's layer does; not only weights and what is hidden in the network."""
    activation: str = "relu"
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b q d"],
        present: Bool[Array, "b k"],
        memory: Float[Array, "b k d"] | None = None,
        train: bool = False,
    ) -> Float[Array, "b q d"]:
        """`present` says what may be heard: of `memory`, else of x."""
        norm = partial(nn.LayerNorm, EPSILON, dtype=self.dtype)
        drop = nn.Dropout(self.dropout, deterministic=not train)
        add = drop if self.drops_sums else lambda y: y
        attention = MultiHead(self.heads, self.dropout, dtype=self.dtype, name="attention")
        heard = attention(x, x if memory is None else memory, present[:, None, None], train)
        x = norm(name="attention_norm")(x + add(heard))
        y = activation(self.activation)(Linear(x.shape[-1], self.hidden, dtype=self.dtype, name="up")(x))
        y = Linear(self.hidden, x.shape[-1], dtype=self.dtype, name="down")(drop(y))
        return norm(name="network_norm")(x + add(y))
