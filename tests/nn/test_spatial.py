"""GCSA and MECS are their definitions, and as large as the public modules."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.nn.norms import STATISTICS
from abaw_jax.nn.spatial import GlobalChannelSpatial, MedianChannelSpatial, lower_median, shuffle
from tests.encoders.tiny_shapes import drawn
from tests.nn.definitions import convolve, exact, gelu, linear, random, relu, sigmoid


def still(variables, name: str, x: np.ndarray) -> np.ndarray:
    """A batch norm by its moving averages."""
    p, s = (exact(variables[c][name]["norm"]) for c in ("params", STATISTICS))
    return (x - s["mean"]) / np.sqrt(s["var"] + 1e-5) * p["scale"] + p["bias"]


def with_statistics(variables):
    moved = jax.tree.map(lambda leaf: 0.5 + jnp.square(random(*leaf.shape)), variables[STATISTICS])
    return {**variables, STATISTICS: moved}


@pytest.mark.parametrize("size", [7, (3, 1)])
def test_gcsa_is_its_definition(size):
    x, real = random(2, 5, 4, 8), jnp.ones((2, 5, 4), bool)
    module = GlobalChannelSpatial(size=size)
    variables = with_statistics(drawn(module.init, x, real))
    ours = module.apply(variables, x, real)
    p = exact(variables["params"])
    for b in range(2):
        y = np.float64(x[b])
        y = y * sigmoid(linear(p["widen"], relu(linear(p["squeeze"], y))))
        y = y.reshape(5, 4, 4, 2).swapaxes(2, 3).reshape(5, 4, 8)
        gate = relu(still(variables, "narrow_norm", convolve(p["narrow"], y)))
        wanted = y * sigmoid(still(variables, "wide_norm", convolve(p["wide"], gate)))
        np.testing.assert_allclose(ours[b], wanted, atol=1e-5)


def test_mecs_is_its_definition():
    x = random(2, 5, 6, 8)
    module = MedianChannelSpatial()
    variables = drawn(module.init, x)
    ours, p = module.apply(variables, x), exact(variables["params"])
    for b in range(2):
        z = gelu(linear(p["pointwise"], np.float64(x[b])))
        places = z.reshape(-1, 8)
        pooled = places.mean(0), places.max(0), np.sort(places, 0)[(30 - 1) // 2]
        gate = sum(sigmoid(linear(p["widen"], relu(linear(p["squeeze"], u)))) for u in pooled)
        near = convolve(p["near"], z * gate)
        far = sum(convolve(p[f"strip_{size}"], near) for k in (7, 11, 21) for size in (f"1x{k}", f"{k}x1"))
        wanted = linear(p["pointwise"], linear(p["pointwise"], far) * z * gate)
        np.testing.assert_allclose(ours[b], wanted, atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_the_median_is_the_lower_one_and_its_gradient_goes_there(n: int):
    x = random(3, n, 4).at[0, 0].set(random(3, n, 4)[0, -1])  # twice the same
    found, pull = jax.vjp(lower_median, x)
    np.testing.assert_array_equal(found, np.sort(x, axis=1)[:, (n - 1) // 2])
    (gradient,) = pull(jnp.ones_like(found))
    np.testing.assert_array_equal(gradient.sum(axis=1), np.ones((3, 4)))
    np.testing.assert_array_equal((gradient * x).sum(axis=1), found)


@pytest.mark.parity
@pytest.mark.parametrize("n", [5, 6])
def test_the_median_is_torchs(n: int):
    torch = pytest.importorskip("torch")
    x = random(3, n, 4)
    np.testing.assert_array_equal(lower_median(x), torch.tensor(np.asarray(x)).median(dim=1).values.numpy())


def test_channels_are_dealt_one_of_each_group_after_the_other():
    np.testing.assert_array_equal(shuffle(jnp.arange(8.0), 4), [0, 2, 4, 6, 1, 3, 5, 7])


@pytest.mark.parametrize(
    ("module", "count"), [(GlobalChannelSpatial(), 102_720), (MedianChannelSpatial(), 14_864)]
)
def test_they_are_as_large_as_the_public_modules(module, count: int):
    given = (
        jnp.zeros((1, 7, 7, 64)),
        *([jnp.ones((1, 7, 7), bool)] * isinstance(module, GlobalChannelSpatial)),
    )
    params = jax.eval_shape(module.init, jax.random.key(0), *given)["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_places_that_are_not_real_change_nothing_at_those_that_are():
    x, real = random(1, 6, 1, 8), jnp.arange(6).reshape(1, 6, 1) < 4
    module = GlobalChannelSpatial(size=(7, 1))
    variables = drawn(module.init, x, real)
    spoilt = jnp.where(real[..., None], x, 1e3)
    ours, theirs = (
        module.apply(variables, given, real, train=True, mutable=[STATISTICS])[0] for given in (x, spoilt)
    )
    np.testing.assert_array_equal(ours[:, :4], theirs[:, :4])
    short = module.apply(variables, x[:, :4], real[:, :4])
    np.testing.assert_allclose(module.apply(variables, x, real)[:, :4], short, atol=1e-6)
