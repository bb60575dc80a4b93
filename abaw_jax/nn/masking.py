"""What is absent: hiding what lies under a mask, and making whole streams absent in training."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from abaw_jax.types import Array as AnyArray


def hide(
    x: Float[Array, "b t d"], present: Bool[Array, "b t"], instead: AnyArray = 0
) -> Float[Array, "b t d"]:
    """`x` where it is present; elsewhere `instead`, whatever `x` holds there, NaN included."""
    return jnp.where(present[..., None], x, instead)


def drop_streams(key: PRNGKeyArray, present: Bool[Array, "b t n"], rate: float) -> Bool[Array, "b t n"]:
    """Each stream of each sample is made absent with probability `rate`, but never the last one left.

    Where chance would leave nothing, one of those that had any row, each as likely, stays: of n such streams
    each is dropped with probability rate - rateⁿ / n.
    """
    has_rows = present.any(axis=1)
    luck = jnp.where(has_rows, jax.random.uniform(key, has_rows.shape), -1.0)
    stays = (luck >= rate) | (luck == luck.max(axis=-1, keepdims=True))
    return present & stays[:, None]
