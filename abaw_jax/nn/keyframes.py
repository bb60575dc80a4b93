"""How much each modality counts in a window, from the moments that say most.

The paper (arXiv 2503.11935) names key-frame alignment and gives no equation: this one is a default, not from
it.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

LEAST = -1e30
"""Under a mask: nothing is left of it, and a softmax of nothing else is even."""


class KeyFrames(nn.Module):
    """p = softmax over moments of Σ_m s_m / τ; weights = softmax over modalities of Σ_t p_t s_m,t."""

    temperature: float = 0.5

    @nn.compact
    def __call__(self, states: Float[Array, "b t n d"], present: Bool[Array, "b t n"]) -> Float[Array, "b n"]:
        """In float32; one modality weighs 1, and of several those that are nowhere present weigh 0."""
        n, d = states.shape[2:]
        if n == 1:
            return jnp.ones((len(states), 1), jnp.float32)
        kernel = self.param("kernel", nn.initializers.lecun_normal(in_axis=1, out_axis=0), (n, d))
        bias = self.param("bias", nn.initializers.zeros, (n,))
        salience = jnp.einsum("btnd,nd->btn", states.astype(jnp.float32), kernel) + bias[None, None]
        together = jnp.where(present, salience, 0).sum(axis=-1) / self.temperature
        moments = jax.nn.softmax(jnp.where(present.any(axis=-1), together, LEAST), axis=1)
        level = jnp.einsum("bt,btn->bn", moments, jnp.where(present, salience, 0))
        return jax.nn.softmax(jnp.where(present.any(axis=1), level, LEAST), axis=-1)
