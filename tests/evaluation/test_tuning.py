"""What is tuned is better on folds that it was not tuned on, and stays as it was where nothing is."""

import numpy as np
import pytest

from abaw_jax.evaluation.table import RowTable
from abaw_jax.evaluation.truth import Truth
from abaw_jax.evaluation.tuning import WIDTHS_S, tune_smoothing, tune_thresholds

TRACKS, ROWS = ("a", "b", "c", "d"), 300
FOLDS = (("a", "b"), ("c", "d"))


def columns(**values) -> dict:
    track = np.repeat(np.arange(len(TRACKS)), ROWS)
    return {"tracks": TRACKS, "track": track, "row": np.tile(np.arange(1, ROWS + 1), len(TRACKS)), **values}


def smooth_signal(rng) -> np.ndarray:
    steps = rng.standard_normal((len(TRACKS), ROWS, 2)).cumsum(axis=1)
    return (steps / np.abs(steps).max()).reshape(-1, 2)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_noise_asks_for_smoothing_and_its_absence_does_not(noise: float):
    rng = np.random.default_rng(0)
    va = smooth_signal(rng)
    truth = Truth.build(**columns(va=va, va_mask=np.ones(len(va), bool)))
    predicted = (va + noise * rng.standard_normal(va.shape)).astype(np.float32)
    times = np.tile(np.arange(ROWS) * 40.0, len(TRACKS))
    tuned = tune_smoothing(RowTable.build(**columns(va=predicted, time_ms=times)), truth, "va", "box", FOLDS)
    assert tuned.smoothing_s in WIDTHS_S
    assert (tuned.smoothing_s > 0) == (noise > 0)
    assert tuned.after >= tuned.before


@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_thresholds_move_where_probabilities_are_off(scale: float):
    rng = np.random.default_rng(1)
    au = rng.random((len(TRACKS) * ROWS, 12)) < 0.4
    sure = np.where(au, rng.uniform(0.55, 1, au.shape), rng.uniform(0, 0.45, au.shape))
    truth = Truth.build(**columns(au=au.astype(np.int8), au_mask=np.ones(au.shape, bool)))
    tuned = tune_thresholds(
        RowTable.build(**columns(au=(scale * sure).astype(np.float32))), truth, "au", FOLDS
    )
    if scale == 1.0:
        assert tuned.thresholds == (0.5,) * 12
        assert tuned.before == tuned.after == 1.0
    else:
        assert set(tuned.thresholds) == {0.2}
        assert tuned.after > 0.9 > tuned.before
