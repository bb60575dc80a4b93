"""Weights of modalities come from the moments that say most, and what is nowhere present weighs nothing."""

import jax.numpy as jnp
import numpy as np

from abaw_jax.nn.keyframes import KeyFrames
from tests.encoders.tiny_shapes import drawn
from tests.nn.definitions import exact, random, softmax


def test_it_is_its_definition():
    states, present = random(2, 5, 3, 4), jnp.ones((2, 5, 3), bool).at[0, 2].set(False).at[1, 3, 1].set(False)
    variables = drawn(KeyFrames().init, states, present)
    ours, p = KeyFrames().apply(variables, states, present), exact(variables["params"])
    for b in range(2):
        there = np.asarray(present[b])
        s = np.where(there, np.einsum("tnd,nd->tn", np.float64(states[b]), p["kernel"]) + p["bias"], 0)
        moments = softmax(s.sum(1) / 0.5, there.any(1))
        np.testing.assert_allclose(ours[b], softmax(moments @ s), atol=1e-5)


def test_what_is_nowhere_present_weighs_nothing_and_all_weigh_the_same_where_nothing_is():
    states, present = random(2, 5, 2, 4), jnp.zeros((2, 5, 2), bool).at[0, 1, 1].set(True)
    variables = drawn(KeyFrames().init, states, present)
    np.testing.assert_array_equal(KeyFrames().apply(variables, states, present), [[0, 1], [0.5, 0.5]])


def test_one_modality_weighs_one_and_has_nothing_to_learn():
    states, present = random(2, 5, 1, 4), jnp.ones((2, 5, 1), bool)
    assert not drawn(KeyFrames().init, states, present)
    np.testing.assert_array_equal(KeyFrames().apply({}, states, present), np.ones((2, 1)))
