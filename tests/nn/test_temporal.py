"""Causal convolutions are their definition, see as far back as they should, and never what is absent."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.nn.temporal import CausalConv, Tcn, TemporalBlock, receptive_field
from tests.encoders.tiny_shapes import drawn
from tests.nn.definitions import exact, linear, random, relu


def past(p, x: np.ndarray, dilation: int) -> np.ndarray:
    taps, out = len(p["kernel"]), np.zeros((len(x), p["kernel"].shape[-1])) + p["bias"]
    for t in range(len(x)):
        for i in range(taps):
            if (row := t - (taps - 1 - i) * dilation) >= 0:
                out[t] += x[row] @ p["kernel"][i]
    return out


@pytest.mark.parametrize("is_normed", [True, False])
def test_a_convolution_is_its_definition(is_normed: bool):
    x, module = random(1, 9, 3), CausalConv(4, taps=3, dilation=2, is_normed=is_normed)
    variables = drawn(module.init, x)
    p = exact(variables["params"])
    if is_normed:
        p["kernel"] = p["scale"] * p["kernel"] / np.sqrt((p["kernel"] ** 2).sum((0, 1)))
    np.testing.assert_allclose(module.apply(variables, x)[0], past(p, np.float64(x[0]), 2), atol=1e-5)


def test_weight_norm_begins_with_the_kernel_as_it_is():
    x = random(1, 9, 3)
    plain, normed = (CausalConv(4, is_normed=is_normed) for is_normed in (False, True))
    variables = normed.init(jax.random.key(0), x)
    kept = {name: variables["params"][name] for name in ("kernel", "bias")}
    np.testing.assert_allclose(normed.apply(variables, x), plain.apply({"params": kept}, x), atol=1e-6)


def test_a_block_is_its_definition():
    x, present = random(1, 8, 3), jnp.ones((1, 8), bool)
    module = TemporalBlock(5, taps=3, dilation=2)
    variables = drawn(module.init, x, present)
    p, x64 = exact(variables["params"]), np.float64(x[0])
    y = relu(past(p["second"], relu(past(p["first"], x64, 2)), 2))
    wanted = relu(linear(p["across"], x64) + y)
    np.testing.assert_allclose(module.apply(variables, x, present)[0], wanted, atol=1e-5)


PUBLISHED = {"B, 3 taps": (3, 4, 61), "B, 5 taps": (5, 4, 121), "B, 7 taps": (7, 4, 181)}
PUBLISHED |= {"C": (3, 6, 253), "D": (3, 2, 13), "J": (5, 5, 249)}


@pytest.mark.parametrize(("taps", "levels", "rows"), PUBLISHED.values(), ids=PUBLISHED)
def test_the_last_row_has_seen_as_many_as_the_published_systems(taps: int, levels: int, rows: int):
    assert receptive_field(taps, levels) == rows
    module, x = (
        Tcn((2,) * levels, partial(TemporalBlock, taps=taps, activation="leaky_relu")),
        random(1, rows + 3, 2),
    )
    present = jnp.ones((1, rows + 3), bool)
    variables = drawn(module.init, x, present)
    last = jax.grad(lambda x: module.apply(variables, x, present)[0, -1].sum())
    reach = jax.jit(last, compiler_options={"xla_backend_optimization_level": 0})(x)[0]
    np.testing.assert_array_equal(np.abs(reach).sum(axis=1) > 0, np.arange(rows + 3) >= 3)


@pytest.mark.parametrize("ahead", [0, 3])
def test_rows_that_are_absent_are_as_good_as_none(ahead: int):
    x, module = random(1, 9, 3), Tcn((4, 5))
    present = (jnp.arange(9) >= ahead) & (jnp.arange(9) < 7)
    variables = drawn(module.init, x, present[None])
    long = module.apply(variables, jnp.where(present[None, :, None], x, jnp.nan), present[None])
    short = module.apply(variables, x[:, ahead:7], jnp.ones((1, 7 - ahead), bool))
    np.testing.assert_allclose(long[:, ahead:7], short, atol=1e-6)


def test_whole_channels_are_dropped_where_asked():
    x, present = 1 + jnp.abs(random(2, 9, 3)), jnp.ones((2, 9), bool)
    module = TemporalBlock(40, dropout=0.5, drops_channels=True, activation="relu")
    variables = module.init(jax.random.key(0), x, present)
    biased = jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.ones_like(leaf) if path[-2].key == "second" and leaf.ndim == 1 else 0 * leaf,
        variables,
    )
    out = module.apply(biased, x, present, train=True, rngs={"dropout": jax.random.key(0)})
    np.testing.assert_array_equal(out, jnp.broadcast_to(out[:, :1], out.shape))
    assert set(np.unique(out)) == {0, 2}
