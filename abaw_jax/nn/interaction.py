"""What modalities hear of each other at one row: attention across them, not over time."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.nn.linear import Linear
from abaw_jax.nn.multihead import EPSILON
from abaw_jax.types import DType


class AcrossModalities(nn.Module):
    """softmax(K Qᵀ / √d) V + V of a row's n modalities, normed over all n · d numbers at once.

    Keys are made of the states; queries and values of the first modality too, those of the others of their
    keys, as the published code has it (arXiv 2503.10523).
    """

    width: int = 64
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, *states: Float[Array, "b t _"]) -> Float[Array, "b t n d"]:
        k, q, v = [], [], []
        for i, x in enumerate(states):
            k.append(self._map(x, f"key_{i}"))
            source = x if i == 0 else k[i]
            q.append(self._map(source, f"query_{i}"))
            v.append(self._map(source, f"value_{i}"))
        k, q, v = (jnp.stack(each, axis=2) for each in (k, q, v))
        scores = jnp.einsum("btid,btjd->btij", k, q, preferred_element_type=jnp.float32)
        weights = jax.nn.softmax(scores * self.width**-0.5, axis=-1).astype(self.dtype)
        heard = jnp.einsum("btij,btjd->btid", weights, v) + v
        norm = nn.LayerNorm(
            EPSILON, dtype=self.dtype, reduction_axes=(-2, -1), feature_axes=(-2, -1), name="norm"
        )
        return norm(heard)

    def _map(self, x: Array, name: str) -> Array:
        return Linear(x.shape[-1], self.width, dtype=self.dtype, name=name)(x)
