"""Gated fusion: at each row a weighted mean of streams."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.nn.linear import Linear
from abaw_jax.types import DType


class GatedFusion(nn.Module):
    """Weights are a softmax of a learned score over the present streams; all the same where none is."""

    dtype: DType = jnp.float32

    @nn.compact
    def __call__(
        self, states: Float[Array, "b t n d"], present: Bool[Array, "b t n"]
    ) -> tuple[Float[Array, "b t d"], Float[Array, "b t n"]]:
        """(fused, gates), gates in float32."""
        n, d = states.shape[2:]
        states = nn.LayerNorm(dtype=self.dtype, name="norm")(states)
        scores = jnp.zeros(present.shape, jnp.float32)
        if n > 1:  # one stream weighs 1, and a score that nothing depends on would never be learned
            # From zero: training starts from the plain mean of what is present.
            kernel = self.param("kernel", nn.initializers.zeros, (n, d))
            bias = self.param("bias", nn.initializers.zeros, (n,))
            scores = jnp.einsum("btnd,nd->btn", states.astype(jnp.float32), kernel) + bias[None, None]
        gates = jax.nn.softmax(jnp.where(present, scores, jnp.finfo(jnp.float32).min), axis=-1)
        return jnp.einsum("btn,btnd->btd", gates.astype(self.dtype), states), gates


class PairGate(nn.Module):
    """Two sequences of the same rows, weighed number by number (arXiv 2603.13415)."""

    dropout: float = 0.1
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(
        self, first: Float[Array, "b t d"], second: Float[Array, "b t d"], train: bool = False
    ) -> Float[Array, "b t d"]:
        d = first.shape[-1]
        drop = nn.Dropout(self.dropout, deterministic=not train)

        def linear(x: Array, name: str) -> Array:
            return Linear(x.shape[-1], d, dtype=self.dtype, name=name)(x)

        a, b = linear(first, "first"), linear(second, "second")
        y = drop(jax.nn.relu(linear(jnp.concatenate([a, b], axis=-1), "both")))
        gate = jax.nn.sigmoid(linear(y, "gate"))
        return drop(jax.nn.relu(linear(gate * a + (1 - gate) * b, "out")))
