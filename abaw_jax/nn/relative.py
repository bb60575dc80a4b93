"""Attention with a learned bias for each distance between rows, clipped, so that any length will do.

Shaw et al. 2018 (https://arxiv.org/abs/1803.02155) clip the distance; T5 (https://arxiv.org/abs/1910.10683,
section 2.1) learns one number a head of it, added to the score.
"""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.nn.linear import Linear
from abaw_jax.nn.multihead import weigh
from abaw_jax.types import DType


class RelativeAttention(nn.Module):
    """What each row of `x` hears of `memory`: one or several sequences of the same rows, end to end."""

    heads: int
    max_distance: int = 64  # default, not from any paper: two seconds of video
    is_causal: bool = False
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b t d"], memory: Float[Array, "b k d"], present: Bool[Array, "b k"]
    ) -> Float[Array, "b t d"]:
        t, d = x.shape[1:]
        linear = partial(Linear, d, d, dtype=self.dtype)
        # No bias of keys: it moves all scores of a query alike, so softmax never sees it.
        q, k, v = linear(name="q")(x), linear(use_bias=False, name="k")(memory), linear(name="v")(memory)
        q, k, v = (y.reshape(*y.shape[:2], self.heads, -1) for y in (q, k, v))
        in_reach = jnp.tril(jnp.ones((t, t), bool), 0 if self.is_causal else t)
        copies = (1, memory.shape[1] // t)
        mask = present[:, None] & jnp.tile(in_reach, copies)[None]
        heard = attend_near(q, k, v, jnp.tile(self.bias(t), (1, *copies)), mask)
        return linear(name="out")(heard.reshape(x.shape))

    def bias(self, t: int) -> Float[Array, "h {t} {t}"]:
        """What each head adds to the score of row q and row k; in a causal one the future has no entries."""
        future = 0 if self.is_causal else self.max_distance
        shape = (self.heads, future + 1 + self.max_distance)
        table = self.param("distance_bias", nn.initializers.zeros, shape)
        return by_distance(table, t, future)


def by_distance(table: Float[Array, "h n"], t: int, future: int) -> Float[Array, "h {t} {t}"]:
    """[h q k] of `table` at q - k, whose entry `future` is distance 0; farther than it goes, its ends.

    By padding and shearing, since the gradient of a lookup would add in no fixed order on a GPU.
    """
    past = table.shape[1] - 1 - future
    table = table[:, max(future - (t - 1), 0) : future + 1 + min(past, t - 1)]
    line = jnp.pad(table, ((0, 0), (max(t - 1 - future, 0), max(t - 1 - past, 0))), mode="edge")
    # Rows of one entry less than their period: each starts one entry earlier than the row above.
    repeated = jnp.tile(jnp.pad(line[:, ::-1], ((0, 0), (0, 1))), (1, t))
    rows = repeated[:, t - 1 : t - 1 + t * (2 * t - 1)].reshape(-1, t, 2 * t - 1)
    return rows[:, :, :t]


def attend_near(
    q: Float[Array, "b q h d"],
    k: Float[Array, "b k h d"],
    v: Float[Array, "b k h d"],
    bias: Float[Array, "h q k"],
    mask: Bool[Array, "b #q k"],
) -> Float[Array, "b q h d"]:
    """softmax(q kᵀ / √d + bias) v with the softmax in float32; a query that may hear nothing hears zeros."""
    f32 = jnp.float32
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k, preferred_element_type=f32) * q.shape[-1] ** -0.5
    weights = weigh(scores + bias[None], mask[:, None]).astype(v.dtype)
    return jnp.einsum("bhqk,bkhd->bqhd", weights, v, preferred_element_type=f32).astype(v.dtype)
