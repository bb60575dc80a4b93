"""MDFA is its definition, and as large as the public module."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.nn.dilated import DilatedFusion
from abaw_jax.nn.norms import STATISTICS
from tests.encoders.tiny_shapes import drawn
from tests.nn.definitions import convolve, exact, random, relu, sigmoid
from tests.nn.test_spatial import still, with_statistics


@pytest.mark.parametrize("size", [3, (3, 1)])
def test_it_is_its_definition(size):
    x, real = random(2, 5, 4, 6), jnp.ones((2, 5, 4), bool)
    module = DilatedFusion(3, (1, 2), size)
    variables = with_statistics(drawn(module.init, x, real))
    ours, p = module.apply(variables, x, real), exact(variables["params"])
    for b in range(2):
        y = np.float64(x[b])

        def branch(name: str, y: np.ndarray, dilation: int = 1) -> np.ndarray:
            return relu(still(variables, f"{name}_norm", convolve(p[name], y, dilation)))

        views = [branch("here", y), branch("ring_1", y, 1), branch("ring_2", y, 2)]
        views.append(np.broadcast_to(branch("whole", y.mean((0, 1), keepdims=True)), views[0].shape))
        u = np.concatenate(views, axis=-1)
        by_channel = u * relu(convolve(p["of_all"], u.mean((0, 1), keepdims=True)))
        by_place = u * sigmoid(convolve(p["of_place"], u))
        wanted = branch("out", np.maximum(by_channel, by_place) * u)
        np.testing.assert_allclose(ours[b], wanted, atol=1e-5)


def test_it_is_as_large_as_the_public_module():
    given = jnp.zeros((1, 7, 7, 128)), jnp.ones((1, 7, 7), bool)
    params = jax.eval_shape(DilatedFusion(64).init, jax.random.key(0), *given)["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 259_840


def test_places_that_are_not_real_change_nothing_at_those_that_are():
    x, real = random(1, 6, 1, 4), jnp.arange(6).reshape(1, 6, 1) < 4
    module = DilatedFusion(3, (1, 2), (3, 1))
    variables = drawn(module.init, x, real)
    spoilt = jnp.where(real[..., None], x, 1e3)
    ours, theirs = (
        module.apply(variables, given, real, train=True, mutable=[STATISTICS])[0] for given in (x, spoilt)
    )
    np.testing.assert_array_equal(ours[:, :4], theirs[:, :4])
    short = module.apply(variables, x[:, :4], real[:, :4])
    np.testing.assert_allclose(module.apply(variables, x, real)[:, :4], short, atol=1e-6)
