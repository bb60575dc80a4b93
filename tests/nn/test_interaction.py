"""Attention across modalities is its definition, row by row."""

import numpy as np

from abaw_jax.nn.interaction import AcrossModalities
from tests.encoders.tiny_shapes import drawn
from tests.nn.definitions import exact, linear, norm, random, softmax


def test_it_is_its_definition_with_one_norm_over_all_modalities():
    states = random(2, 3, 5), random(2, 3, 4), random(2, 3, 2)
    module = AcrossModalities(width=6)
    variables = drawn(module.init, *states)
    ours, p = module.apply(variables, *states), exact(variables["params"])
    assert p["norm"]["scale"].shape == (3, 6)
    for b, t in np.ndindex(2, 3):
        x = [np.float64(state[b, t]) for state in states]
        k = [linear(p[f"key_{i}"], x[i]) for i in range(3)]
        given = [x[0], k[1], k[2]]  # the others' queries and values are made of their keys
        q, v = ([linear(p[f"{what}_{i}"], given[i]) for i in range(3)] for what in ("query", "value"))
        heard = softmax(np.stack(k) @ np.stack(q).T / np.sqrt(6)) @ np.stack(v) + np.stack(v)
        wanted = norm(p["norm"], heard, axis=(-2, -1))
        np.testing.assert_allclose(ours[b, t], wanted, atol=1e-5)
