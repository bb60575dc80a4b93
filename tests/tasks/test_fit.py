"""R² is what its definition says, over whatever batches it was summed."""

import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.tasks.fit import fit_sums, r_squared


def by_definition(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    found, wanted = found.astype(np.float64), wanted.astype(np.float64)
    return 1 - ((found - wanted) ** 2).sum(axis=0) / ((wanted - wanted.mean(axis=0)) ** 2).sum(axis=0)


def numbers(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three columns: one told well, one badly, one worse than its mean."""
    rng = np.random.default_rng(seed)
    wanted = rng.normal([0.5, -2, 0], [0.2, 1, 1], (rows, 3)).astype(np.float32)
    found = (wanted + rng.normal(0, [0.05, 0.8, 2], (rows, 3))).astype(np.float32)
    return found, wanted, rng.random(rows) < 0.7


def summed(*batches) -> dict[str, np.ndarray]:
    """As a run adds them up: batches on the device, their sum in float64."""
    total: dict[str, np.ndarray] = {}
    for batch in batches:
        for name, value in fit_sums(*map(jnp.asarray, batch)).items():
            total[name] = total.get(name, 0.0) + np.asarray(value, np.float64)
    return total


def test_it_is_one_minus_error_over_variance_of_the_rows_under_the_mask():
    found, wanted, mask = numbers(500)
    ours = r_squared(summed((found, wanted, mask)))
    np.testing.assert_allclose(ours, by_definition(found[mask], wanted[mask]), atol=1e-4)
    assert ours[0] > 0.9 and ours[2] < 0


def test_batches_of_any_size_add_up_to_the_whole():
    found, wanted, mask = numbers(500)
    cuts = [(found[rows], wanted[rows], mask[rows]) for rows in (slice(0, 3), slice(3, 3), slice(3, 500))]
    ours = r_squared(summed(*cuts))
    np.testing.assert_allclose(ours, by_definition(found[mask], wanted[mask]), atol=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e20])
def test_what_lies_under_the_mask_never_matters(value: float):
    found, wanted, mask = numbers(50)
    before = summed((found, wanted, mask))
    found[~mask], wanted[~mask] = value, -value
    for name, after in summed((found, wanted, mask)).items():
        np.testing.assert_array_equal(after, before[name])


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0, -7.7])
def test_a_column_that_does_not_vary_cannot_be_told(value: float):
    """Nor does the rounding of its sums make a variance."""
    found, wanted, mask = numbers(3000)
    wanted[:, 1] = np.float32(value)
    ours = r_squared(summed((found, wanted, mask), (found, wanted, mask)))
    assert ours[1] == 0
    assert ours[0] > 0.9


def test_of_no_rows_nothing_is_told():
    found, wanted, mask = numbers(5)
    np.testing.assert_array_equal(r_squared(summed((found, wanted, np.zeros_like(mask)))), np.zeros(3))


def test_what_is_told_exactly_has_one():
    _, wanted, mask = numbers(50)
    np.testing.assert_array_equal(r_squared(summed((wanted, wanted, mask))), np.ones(3))
