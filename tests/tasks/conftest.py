"""A task's functions, compiled once for all that a module asks of it."""

import jax
import pytest


@pytest.fixture(scope="module")
def measure(task):
    """`measure(variables, batch, rng)` ▶ ((loss, what is shown), gradients)"""

    def loss(variables, batch, rng):
        value, shown, _ = task.loss(variables, batch, rng)
        return value, shown

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


@pytest.fixture(scope="module")
def predict(task):
    return jax.jit(task.predict)
