"""Relative attention is its definition in numpy, at any length; who may hear nothing hears zeros."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.nn.relative import RelativeAttention, attend_near, by_distance


def random(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(sum(shape)).standard_normal(shape), jnp.float32)


def defined(params: dict, x, memory, present, heads: int, max_distance: int, is_causal: bool) -> np.ndarray:
    """The definition in float64: row by row, head by head."""
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    q, k, v = x @ p["q"]["kernel"] + p["q"]["bias"], memory @ p["k"]["kernel"], memory @ p["v"]["kernel"]
    v, heard, d = v + p["v"]["bias"], np.zeros_like(q), q.shape[-1] // heads
    for b, i, h in np.ndindex(len(q), q.shape[1], heads):
        cut, distance = slice(h * d, h * d + d), i - np.arange(k.shape[1]) % q.shape[1]
        rows = np.asarray(present[b]) & ((distance >= 0) | (not is_causal))
        entry = np.clip(distance, 0 if is_causal else -max_distance, max_distance)
        bias = p["distance_bias"][h][entry + (0 if is_causal else max_distance)]
        weights = np.exp((k[b, :, cut] @ q[b, i, cut] / np.sqrt(d) + bias)[rows])
        heard[b, i, cut] = weights @ v[b, rows, cut] / max(weights.sum(), 1e-30)
    return heard @ p["out"]["kernel"] + p["out"]["bias"]


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize(("t", "copies", "max_distance"), [(9, 1, 3), (5, 2, 2), (4, 3, 8), (1, 2, 2)])
def test_attention_is_its_definition(t: int, copies: int, max_distance: int, is_causal: bool):
    attention = RelativeAttention(2, max_distance, is_causal)
    x, memory = random(2, t, 6), random(2, copies * t, 6)
    present = random(2, copies * t) > -0.3
    params = jax.eval_shape(attention.init, jax.random.key(0), x, memory, present)["params"]
    params = jax.tree.map(lambda leaf: random(*leaf.shape), params)
    with jax.default_matmul_precision("highest"):
        ours = attention.apply({"params": params}, x, memory, present)
    wanted = defined(params, np.float64(x), np.float64(memory), present, 2, max_distance, is_causal)
    assert np.abs(ours - wanted).max() < 1e-5 * max(1.0, np.abs(wanted).max())


@pytest.mark.parametrize("t", [1, 2, 3, 7, 20])
@pytest.mark.parametrize(("past", "future"), [(4, 4), (4, 0), (0, 0), (1, 6)])
def test_the_bias_is_the_table_at_the_clipped_distance(t: int, past: int, future: int):
    table = random(2, past + 1 + future)
    distance = np.arange(t)[:, None] - np.arange(t)[None]
    wanted = np.asarray(table)[:, np.clip(distance, -future, past) + future]
    np.testing.assert_array_equal(by_distance(table, t, future), wanted)


def test_a_query_that_may_hear_nothing_hears_zeros_and_its_gradient_is_finite():
    q, bias, mask = random(1, 3, 2, 4), jnp.zeros((2, 3, 3)), jnp.zeros((1, 1, 3), bool)
    heard, back = jax.vjp(lambda q: attend_near(q, q, q, bias, mask), q)
    assert not np.asarray(heard).any()
    assert not np.asarray(back(heard + 1)[0]).any()


def test_scores_in_bfloat16_are_weighed_in_float32():
    """Two scores of 71 that bfloat16 could not tell apart."""
    q, k, v = (jnp.asarray(x, jnp.bfloat16) for x in ([[10, 0.5]], [[10, 0], [10, 0.5]], [[-1, -1], [1, 1]]))
    q, k, v = (x[None, :, None] for x in (q, k, v))
    heard = attend_near(q, k, v, jnp.zeros((1, 1, 2)), jnp.ones((1, 1, 2), bool))
    assert heard.dtype == jnp.bfloat16
    np.testing.assert_allclose(heard.astype(jnp.float32), np.tanh(0.125 / np.sqrt(2)), atol=5e-3)
