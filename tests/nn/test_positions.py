"""Sines and cosines stand in turn, from the fastest to the slowest."""

import numpy as np
import pytest

from abaw_jax.nn.positions import sinusoids


@pytest.mark.parametrize("width", [6, 7])
def test_they_are_their_definition(width: int):
    found = sinusoids(5, width)
    for t in range(5):
        for i in range(width):
            angle = t / 10_000 ** (2 * (i // 2) / width)
            assert found[t, i] == pytest.approx(np.cos(angle) if i % 2 else np.sin(angle), abs=1e-6)
