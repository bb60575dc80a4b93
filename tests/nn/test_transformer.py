"""A layer hears only what is present, in itself or in the memory that it is given."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.nn.transformer import TransformerLayer


def random(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(sum(shape)).standard_normal(shape), jnp.float32)


def changed_rows(after: jax.Array, before: jax.Array) -> list[int]:
    return np.flatnonzero(np.abs(after - before).sum(axis=(0, 2))).tolist()


def run(layer: TransformerLayer, *args: jax.Array) -> Callable[..., jax.Array]:
    """The layer by its first values, compiled."""
    variables = jax.jit(layer.init)(jax.random.key(0), *args)
    return jax.jit(lambda *args: layer.apply(variables, *args))


@pytest.mark.parametrize(("is_causal", "reached"), [(True, [3, 4, 5]), (False, [0, 1, 2, 3, 4, 5])])
def test_a_present_row_reaches_all_or_the_future(is_causal: bool, reached: list[int]):
    layer, x, present = TransformerLayer(2, 4, is_causal), random(2, 6, 8), jnp.ones((2, 6), bool)
    heard = run(layer, x, present)
    moved = x.at[:, 3].add(random(8)[None])
    assert changed_rows(heard(moved, present), heard(x, present)) == reached


def test_an_absent_row_reaches_only_itself():
    layer, x, present = TransformerLayer(2, 4), random(2, 6, 8), jnp.broadcast_to(jnp.arange(6) != 3, (2, 6))
    heard = run(layer, x, present)
    moved = x.at[:, 3].add(random(8)[None])
    assert changed_rows(heard(moved, present), heard(x, present)) == [3]


def test_a_memory_of_two_sequences_is_heard_where_it_is_present():
    layer, x, memory = TransformerLayer(2, 4, is_causal=True), random(1, 4, 8), random(1, 8, 8)
    present = jnp.ones((1, 8), bool).at[:, 5].set(False)
    heard = run(layer, x, present, memory)
    before = heard(x, present, memory)
    for row, reached in ((0, [0, 1, 2, 3]), (2, [2, 3]), (5, []), (6, [2, 3]), (7, [3])):
        moved = memory.at[:, row].add(random(8)[None])
        assert changed_rows(heard(x, present, moved), before) == reached


def test_dropout_is_for_training_alone():
    layer, x, present = TransformerLayer(2, 4, dropout=0.5), random(1, 4, 8), jnp.ones((1, 4), bool)
    variables = layer.init(jax.random.key(0), x, present)
    trained = [
        layer.apply(variables, x, present, train=True, rngs={"dropout": jax.random.key(seed)})
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(trained[0], trained[1])
    assert np.abs(trained[0] - trained[2]).max() > 0.1
