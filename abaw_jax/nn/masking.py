"""What is absent: hiding what lies under a mask, and making whole streams absent in training."""

import itertools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from abaw_jax.types import Array as AnyArray


def hide(
    x: Float[Array, "b t d"], present: Bool[Array, "b t"], instead: AnyArray = 0
) -> Float[Array, "b t d"]:
    """`x` where it is present; elsewhere `instead`, whatever `x` holds there, NaN included."""
    return jnp.where(present[..., None], x, instead)


def mean_over(x: Float[Array, "b t d"], present: Bool[Array, "b t"]) -> Float[Array, "b d"]:
    """The mean of what is present, summed in float32; zero where nothing is."""
    total = hide(x, present).astype(jnp.float32).sum(axis=1)
    return (total / jnp.maximum(present.sum(axis=1), 1)[:, None]).astype(x.dtype)


def at_moments(
    x: Float[Array, "b n d"], present: Bool[Array, "b n"], moments: int
) -> tuple[Float[Array, "b {moments} d"], Bool[Array, "b {moments}"]]:
    """Stretches as even as they come, each the mean of what is present in it."""
    if x.shape[1] == moments:
        return hide(x, present), present
    edges = [i * x.shape[1] // moments for i in range(moments + 1)]
    if edges[0] == edges[1]:
        raise ValueError(f"found {x.shape[1]} vectors, expected at least one for each of {moments} moments")
    parts = list(itertools.pairwise(edges))
    means = [mean_over(x[:, a:b], present[:, a:b]) for a, b in parts]
    return jnp.stack(means, axis=1), jnp.stack([present[:, a:b].any(axis=1) for a, b in parts], axis=1)


def drop_streams(key: PRNGKeyArray, present: Bool[Array, "b t n"], rate: float) -> Bool[Array, "b t n"]:
    """Streams of each sample that `streams_left` leaves."""
    return present & streams_left(key, present.any(axis=1), rate)[:, None]


def streams_left(key: PRNGKeyArray, has_rows: Bool[Array, "b n"], rate: float) -> Bool[Array, "b n"]:
    """Each stream of each sample is lost with probability `rate`, but never the last one left.

    Where chance would leave nothing, one of those that have any row, each as likely, stays: of n such streams
    each is lost with probability rate - rateⁿ / n.
    """
    luck = jnp.where(has_rows, jax.random.uniform(key, has_rows.shape), -1.0)
    return (luck >= rate) | (luck == luck.max(axis=-1, keepdims=True))
