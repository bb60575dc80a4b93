"""What a model keeps beside its parameters moves with every step, and stays where an update is left out."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.models.test_systems import QUICKLY, small
from tests.of_configs import batch_of, step_of


def test_statistics_follow_batches_but_not_those_that_are_left_out():
    config = small("masked_transformer:va")
    batch = batch_of(config, rows=4)
    step, begin = step_of(config, batch)
    step, state = jax.jit(step, compiler_options=QUICKLY), jax.jit(begin, compiler_options=QUICKLY)()
    after, _ = step(state, batch, np.float32(1))
    assert any(np.any(a != b) for a, b in zip(*map(jax.tree.leaves, (state.kept, after.kept)), strict=True))
    broken = after.replace(params=jax.tree.map(lambda leaf: leaf * jnp.nan, after.params))
    again, shown = step(broken, batch, np.float32(1))
    assert shown["skipped"] == 1
    jax.tree.map(np.testing.assert_array_equal, again.kept, after.kept)
    assert set(after.evaluated) == {"params", "batch_stats"}
