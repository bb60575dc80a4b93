"""What comes out of a model for each task."""

import jax
import jax.numpy as jnp
import numpy as np

from abaw_jax.nn.streams import Heads, bounded
from tests.nn.definitions import exact, linear, random


def test_heads_are_in_float32_whatever_the_model_computes_in():
    x = random(2, 3, 5).astype(jnp.bfloat16)
    module = Heads(("va", "au"))
    variables = module.init(jax.random.key(0), x)
    for task, found in module.apply(variables, x).items():
        wanted = linear(*exact((variables["params"][task], x)))
        np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_affect_alone_is_bounded():
    out = {"va": jnp.array([-9.0, 0.5]), "au": jnp.array([9.0])}
    np.testing.assert_allclose(bounded(out)["va"], np.tanh([-9.0, 0.5]), rtol=1e-6)
    assert bounded(out)["au"] == 9
