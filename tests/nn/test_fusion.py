"""Gates share out one among the streams that are present, evenly where none is."""

import jax
import jax.numpy as jnp
import numpy as np

from abaw_jax.nn.fusion import GatedFusion, PairGate
from tests.encoders.tiny_shapes import drawn
from tests.nn.definitions import exact, linear, relu, sigmoid


def random(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(sum(shape)).standard_normal(shape), jnp.float32)


def fuse(states: jax.Array, present: jax.Array) -> tuple[jax.Array, jax.Array]:
    params = GatedFusion().init(jax.random.key(0), states, present)["params"]
    params = jax.tree.map(lambda leaf: random(*leaf.shape), params)
    return GatedFusion().apply({"params": params}, states, present)


def test_absent_streams_weigh_nothing_and_even_where_all_are_absent():
    present = jnp.asarray([[[True, True, True], [True, False, True], [False, True, False], [False] * 3]])
    gates = np.asarray(fuse(random(1, 4, 3, 5), present)[1])
    np.testing.assert_allclose(gates.sum(axis=-1), np.ones((1, 4)), rtol=1e-6)
    assert (gates[0, :3] > 0).tolist() == present[0, :3].tolist()
    assert np.ptp(gates[0, 0]) > 0.1
    np.testing.assert_array_equal(gates[0, 3], np.full(3, 1 / 3, np.float32))


def test_fused_is_the_mean_of_normed_states_by_the_gates():
    states, present = random(2, 4, 3, 5), random(2, 4, 3) > 0
    fused, gates = fuse(states, present)
    x = np.float64(states)
    normed = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    normed = normed * np.float64(random(5)) + np.float64(random(5))
    np.testing.assert_allclose(fused, np.einsum("btn,btnd->btd", gates, normed), atol=1e-5)


def test_one_stream_weighs_one_and_has_no_score_to_learn():
    states, present = random(2, 4, 1, 5), random(2, 4, 1) > 0
    params = GatedFusion().init(jax.random.key(0), states, present)["params"]
    assert set(params) == {"norm"}
    np.testing.assert_array_equal(fuse(states, present)[1], np.ones((2, 4, 1)))


def test_a_gate_of_two_is_its_definition():
    first, second = random(2, 3, 4), random(3, 2, 4).reshape(2, 3, 4)
    variables = drawn(PairGate().init, first, second)
    ours = PairGate().apply(variables, first, second)
    p, x, y = exact((variables["params"], first, second))
    a, b = linear(p["first"], x), linear(p["second"], y)
    gate = sigmoid(linear(p["gate"], relu(linear(p["both"], np.concatenate([a, b], axis=-1)))))
    np.testing.assert_allclose(ours, relu(linear(p["out"], gate * a + (1 - gate) * b)), atol=1e-5)
