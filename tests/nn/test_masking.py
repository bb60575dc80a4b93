"""Hidden values leave no trace, and streams are dropped as often as said, but never the last."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.nn.masking import at_moments, drop_streams, hide

SAMPLES = 20_000


def test_hidden_values_leave_no_trace_in_values_or_gradients():
    x, present = jnp.asarray([[[1.0], [jnp.nan]]]), jnp.asarray([[True, False]])
    np.testing.assert_array_equal(hide(x, present), [[[1.0], [0.0]]])
    np.testing.assert_array_equal(jax.grad(lambda x: hide(x, present).sum())(x), [[[1.0], [0.0]]])
    np.testing.assert_array_equal(hide(x, present, jnp.full((1, 1, 1), 3.0))[0, 1], [3.0])


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_streams_are_dropped_at_the_rate_and_never_all(n: int, rate: float):
    present = jnp.ones((SAMPLES, 2, n), bool)
    kept = np.asarray(drop_streams(jax.random.key(n), present, rate))
    assert (kept[:, 0] == kept[:, 1]).all()
    assert kept.any(axis=(1, 2)).all()
    wanted = rate - rate**n / n
    error = 5 * np.sqrt(max(wanted * (1 - wanted), 1e-9) / SAMPLES)
    np.testing.assert_allclose(1 - kept[:, 0].mean(axis=0), wanted, atol=error)


def test_a_stream_without_rows_is_not_what_stays():
    present = jnp.ones((SAMPLES, 3, 3), bool).at[:, :, 0].set(False).at[:, 1, 1].set(False)
    kept = np.asarray(drop_streams(jax.random.key(0), present, 0.9))
    assert not (kept & ~np.asarray(present)).any()
    assert kept.any(axis=(1, 2)).all()
    nothing = jnp.zeros((4, 3, 2), bool)
    np.testing.assert_array_equal(drop_streams(jax.random.key(0), nothing, 0.5), nothing)


def test_moments_are_means_of_what_is_present_in_stretches_as_even_as_they_come():
    x, present = jnp.arange(7.0).reshape(1, 7, 1), jnp.array([[True, True, False, True, True, False, False]])
    found, there = at_moments(x, present, 3)  # 0 1 | 2 3 | 4 5 6
    np.testing.assert_array_equal(found[..., 0], [[0.5, 3, 4]])
    assert there.all()
    same, kept = at_moments(x, present, 7)
    np.testing.assert_array_equal(same[..., 0], [[0, 1, 0, 3, 4, 0, 0]])
    np.testing.assert_array_equal(kept, present)
    with pytest.raises(ValueError, match="found 7 vectors, expected at least one for each of 8 moments"):
        at_moments(x, present, 8)
