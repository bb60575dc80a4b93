"""Decisions of action units, and thresholds that make the most of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abaw_jax.evaluation.thresholds import GRID, decide, tune


def f1(decision: np.ndarray, label: np.ndarray) -> float:
    total = decision.sum() + label.sum()
    return 2 * (decision & label).sum() / total if total else 0.0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_threshold_of_the_grid_does_better(seed: int):
    rng = np.random.default_rng(seed)
    probabilities = rng.random((80, 12)).round(2).astype(np.float32)
    labels = (rng.random((80, 12)) < probabilities * rng.random(12)).astype(np.int8)
    mask = rng.random((80, 12)) < 0.8
    grid = sorted(rng.uniform(0, 1, 7).round(2).tolist()) if seed % 2 else list(GRID)
    tuned = tune(probabilities, labels, mask, grid)
    decided = decide(probabilities, tuned)
    for unit in range(12):
        rows = mask[:, unit]
        by_threshold = [
            f1(decide(probabilities, [t] * 12)[rows, unit], labels[rows, unit] == 1) for t in grid
        ]
        assert f1(decided[rows, unit], labels[rows, unit] == 1) == pytest.approx(max(by_threshold))
        best = [t for t, score in zip(grid, by_threshold, strict=True) if score == max(by_threshold)]
        assert abs(tuned[unit] - 0.5) == pytest.approx(min(abs(t - 0.5) for t in best))


@pytest.mark.parametrize("threshold", GRID)
def test_a_probability_reaches_the_threshold_it_equals(threshold: float):
    """0.7 in float32 is below 0.7 in float64."""
    assert decide(np.float32([[threshold]]), [threshold]).item()


def test_the_default_is_one_half():
    decided = decide(np.float32([[0.49, 0.5, 0.51]]))
    assert decided.tolist() == [[False, True, True]]


def test_a_unit_without_positives_stays_at_one_half():
    probabilities = np.random.default_rng(0).random((20, 2)).astype(np.float32)
    labels = np.stack([np.zeros(20), np.arange(20) % 2], axis=1).astype(np.int8)
    assert tune(probabilities, labels, np.ones((20, 2), bool))[0] == 0.5
    assert tune(probabilities, labels, np.zeros((20, 2), bool)).tolist() == [0.5, 0.5]


def test_tuning_by_hand():
    probabilities = np.float32([[0.15], [0.25], [0.35], [0.45]])
    labels = np.int8([[0], [1], [1], [1]])
    mask = np.ones((4, 1), bool)
    assert tune(probabilities, labels, mask).tolist() == [0.2]
    mask[1] = False
    assert tune(probabilities, labels, mask).tolist() == [0.3]


def test_thresholds_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match="3 thresholds for 12 action units"):
        decide(np.zeros((1, 12), np.float32), [0.5] * 3)
    args = np.full((1, 2), np.nan, np.float32), np.zeros((1, 2), np.int8)
    with pytest.raises(ValueError, match="no finite probability"):
        tune(*args, np.ones((1, 2), bool))
    with pytest.raises(ValueError, match="a grid of thresholds"):
        tune(*args, np.zeros((1, 2), bool), grid=[])
