"""Batch norm counts what is real, keeps its averages, and stays finite where nothing is."""

import jax
import jax.numpy as jnp
import numpy as np

from abaw_jax.nn.norms import STATISTICS, BatchNorm
from tests.nn.definitions import random, some


def test_moments_are_those_of_what_is_real_and_averages_move_by_a_tenth():
    x, real = 3 + random(4, 5, 2), some(4, 5)
    variables = BatchNorm().init(jax.random.key(0), x, real)
    y, kept = BatchNorm().apply(variables, x, real, train=True, mutable=[STATISTICS])
    seen = np.float64(x)[np.asarray(real)]
    np.testing.assert_allclose(y, (np.float64(x) - seen.mean(0)) / np.sqrt(seen.var(0) + 1e-5), atol=1e-5)
    np.testing.assert_allclose(kept[STATISTICS]["norm"]["mean"], 0.1 * seen.mean(0), rtol=1e-5)
    np.testing.assert_allclose(kept[STATISTICS]["norm"]["var"], 0.9 + 0.1 * seen.var(0), rtol=1e-5)


def test_where_nothing_is_real_it_stays_finite():
    x, real = random(4, 5, 2), jnp.zeros((4, 5), bool)
    variables = BatchNorm().init(jax.random.key(0), x, real)
    y, kept = BatchNorm().apply(variables, x, real, train=True, mutable=[STATISTICS])
    assert np.isfinite(y).all()
    assert all(np.isfinite(leaf).all() for leaf in kept[STATISTICS]["norm"].values())
