"""A pre-norm transformer layer over rows, for a sequence by itself or for one that hears others.

Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762), normed before each part as by Xiong et al. 2020
(https://arxiv.org/abs/2002.04745).
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.nn.linear import Linear
from abaw_jax.nn.relative import RelativeAttention
from abaw_jax.types import DType

EXPANSION = 4  # Vaswani et al., section 3.3


class TransformerLayer(nn.Module):
    """x + attention(x), then x + mlp(x); attention is to `memory` where there is one, else to x itself."""

    heads: int
    max_distance: int = 64
    is_causal: bool = False
    dropout: float = 0.1
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "b t d"],
        present: Bool[Array, "b k"],
        memory: Float[Array, "b k d"] | None = None,
        train: bool = False,
    ) -> Float[Array, "b t d"]:
        """`present` says which rows may be heard: of `memory`, else of x."""
        norm = partial(nn.LayerNorm, dtype=self.dtype)
        drop = nn.Dropout(self.dropout, deterministic=not train)
        attention = RelativeAttention(
            self.heads, self.max_distance, self.is_causal, self.dtype, name="attention"
        )
        y = norm(name="attention_norm")(x)
        heard = y if memory is None else norm(name="memory_norm")(memory)
        x = x + drop(attention(y, heard, present))
        return x + drop(
            MLP(EXPANSION * x.shape[-1], x.shape[-1], self.dtype, name="mlp")(norm(name="mlp_norm")(x))
        )


class MLP(nn.Module):
    """Two linear maps with gelu in between."""

    hidden: int
    outputs: int
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t o"]:
        y = jax.nn.gelu(Linear(x.shape[-1], self.hidden, dtype=self.dtype, name="up")(x), approximate=False)
        return Linear(self.hidden, self.outputs, dtype=self.dtype, name="down")(y)
