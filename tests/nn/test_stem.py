"""The stem is a convolution over rows in which absent rows are padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.nn.stem import ConvStem, shifted_sum


def random(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(sum(shape)).standard_normal(shape), jnp.float32)


@pytest.mark.parametrize(("taps", "after"), [(5, 2), (5, 0), (4, 1), (1, 0), (7, 6)])
def test_a_shifted_sum_is_numpy_s_correlation(taps: int, after: int):
    x, kernel = random(2, 6, 3), random(taps, 3)
    ours = shifted_sum(x, kernel, after)
    for b, c in np.ndindex(2, 3):
        padded = np.pad(np.float64(x[b, :, c]), (taps - 1 - after, after))
        np.testing.assert_allclose(ours[b, :, c], np.correlate(padded, np.float64(kernel[:, c])), atol=1e-5)


@pytest.mark.parametrize(("is_causal", "reached"), [(True, [4, 5, 6]), (False, [3, 4, 5])])
def test_a_row_reaches_the_rows_that_its_taps_say(is_causal: bool, reached: list[int]):
    stem, x, present = ConvStem(3, is_causal), random(1, 9, 4), jnp.ones((1, 9), bool)
    variables = stem.init(jax.random.key(0), x, present)
    change = stem.apply(variables, x.at[:, 4].add(1.0), present) - stem.apply(variables, x, present)
    assert np.flatnonzero(np.abs(change).sum(axis=(0, 2))).tolist() == reached


def test_absent_rows_reach_nobody_else():
    stem, x, present = ConvStem(5), random(1, 9, 4), jnp.arange(9)[None] != 4
    variables = stem.init(jax.random.key(0), x, present)
    change = stem.apply(variables, x.at[:, 4].add(1.0), present) - stem.apply(variables, x, present)
    assert np.flatnonzero(np.abs(change).sum(axis=(0, 2))).tolist() == [4]
