"""Spans fade as they should, are learnt, and attention at each scale is its definition."""

import jax
import jax.numpy as jnp
import numpy as np

from abaw_jax.nn.spans import SpannedLayer, soft_span
from tests.encoders.tiny_shapes import drawn
from tests.nn.definitions import exact, gelu, linear, multi_head, norm, random, sigmoid, softmax


def test_a_span_is_whole_up_to_its_end_and_fades_over_the_ramp():
    distance = jnp.arange(7.0).reshape(1, 7)
    np.testing.assert_allclose(soft_span(distance, jnp.array([2.0]), 4)[0, 0], [1, 1, 1, 0.75, 0.5, 0.25, 0])


def test_a_span_is_learnt_on_its_ramp():
    gradient = jax.grad(lambda z: soft_span(jnp.arange(12.0).reshape(1, 12), z[None], 8.0).sum())(2.5)
    assert gradient == 1  # rows 3 to 10 lie on it


def test_a_layer_is_its_definition():
    t, scales = 7, (2, 0)
    x, present = random(2, t, 6), jnp.asarray([[True] * t, [True] * 5 + [False] * 2])
    module = SpannedLayer(heads=2, scales=scales)
    variables = drawn(module.init, x, present)
    ours, p = module.apply(variables, x, present), exact(variables["params"])
    far = np.abs(np.arange(t)[:, None] - np.arange(t)[None])
    for b in range(2):
        y, there = norm(p["attention_norm"], np.float64(x[b])), np.asarray(present[b])
        asked = linear(p["span"]["down"], gelu(linear(p["span"]["up"], y[there].mean(0))))
        heard = 0
        for i, (name, most) in enumerate((("2", 2), ("whole", there.sum()))):
            share = np.clip((8 + most * sigmoid(asked[i]) - far) / 8, 0, 1) * there[None]
            share = share * (far <= 2) if i == 0 else share
            heard = heard + softmax(p["mixture"])[i] * multi_head(p[f"scale_{name}"], y, y, share, 2)
        z = np.float64(x[b]) + heard
        wanted = z + linear(
            p["network"]["down"], gelu(linear(p["network"]["up"], norm(p["network_norm"], z)))
        )
        np.testing.assert_allclose(ours[b], wanted, atol=1e-4)
