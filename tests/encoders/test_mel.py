"""Filter banks and log-mels against slow definitions."""

import numpy as np
import pytest

from abaw_jax.encoders.mel import hann, htk_hz, htk_mel, mel_filters, mel_triangles, slaney_hz, slaney_mel
from abaw_jax.encoders.vggish import log_mel


def test_scales_turn_back():
    hz = np.linspace(0, 8000, 97)
    np.testing.assert_allclose(htk_hz(htk_mel(hz)), hz, atol=1e-9)
    np.testing.assert_allclose(slaney_hz(slaney_mel(hz)), hz, atol=1e-9)
    assert slaney_mel(np.array([1000.0, 6400.0])).tolist() == pytest.approx([15, 42])
    assert htk_mel(np.array([1000.0]))[0] == pytest.approx(1000, abs=0.1)


def test_windows_are_periodic_or_end_in_zero():
    np.testing.assert_allclose(hann(4), [0, 0.5, 1, 0.5], atol=1e-15)
    np.testing.assert_allclose(hann(5, is_periodic=False), [0, 0.5, 1, 0.5, 0], atol=1e-15)


@pytest.mark.parametrize("make", [
    lambda: mel_filters(16_000, 512, 20, 125.0, 7500.0, "htk", is_area_one=False),
    lambda: mel_triangles(16_000, 512, 20, 125.0, 7500.0),
])  # fmt: skip
def test_neighbouring_triangles_add_up_to_one_between_their_peaks(make):
    filters = make()
    corners = htk_hz(np.linspace(*htk_mel(np.array([125.0, 7500.0])), 22))
    hz = np.linspace(0, 8000, 257)
    inside = (hz >= corners[1]) & (hz <= corners[-2])
    np.testing.assert_allclose(filters.sum(axis=0)[inside], 1, atol=1e-12)
    assert (filters[:, (hz < 125) | (hz > 7500)] == 0).all()


def slow_log_mel(sound: np.ndarray) -> np.ndarray:
    """VGGish's, number by number: a Fourier sum, triangles over mel, the offset."""
    mel = [1127 * np.log(1 + hz / 700) for hz in 31.25 * np.arange(257)]
    low, high = 1127 * np.log(1 + 125 / 700), 1127 * np.log(1 + 7500 / 700)
    step = (high - low) / 65
    n = np.arange(400)
    window = np.sin(np.pi * n / 400) ** 2
    waves = np.exp(-2j * np.pi * np.outer(np.arange(257), n) / 512)
    rows = []
    for start in range(0, len(sound) - 399, 160):
        magnitude = np.abs(waves @ (sound[start : start + 400].astype(np.float64) * window))
        row = np.zeros(64)
        for band in range(64):
            peak = low + (band + 1) * step
            for k in range(1, 257):
                row[band] += max(0.0, 1 - abs(mel[k] - peak) / step) * magnitude[k]
        rows.append(np.log(row + 0.01))
    return np.array(rows)


@pytest.mark.parametrize("kind", ["noise", "silence", "loud", "tone", "offset"])
def test_vggish_hears_its_own_log_mel(kind: str):
    n, rng = np.arange(15_600), np.random.default_rng(0)
    sound = {
        "noise": 0.1 * rng.standard_normal(15_600),
        "silence": np.zeros(15_600),
        "loud": np.clip(3 * rng.standard_normal(15_600), -1, 1),
        "tone": np.sin(n * 0.05),
        "offset": np.full(15_600, 0.5),
    }[kind].astype(np.float32)
    ours = log_mel(sound)
    assert ours.shape == (96, 64) and ours.dtype == np.float32
    np.testing.assert_allclose(ours[::19], slow_log_mel(sound)[::19], atol=1e-5)
