"""What system D shows the spectrogram transformer: torchaudio's decibels by librosa, and their clock."""

import jax.numpy as jnp
import librosa
import numpy as np
import pytest

from abaw_jax.encoders.ast import DECIBELS, decibels, hearing, prepare_decibels
from abaw_jax.encoders.encoder import Options
from abaw_jax.encoders.load import load
from abaw_jax.nn.backbones.ast import Config
from tests.encoders.tiny_checkpoints import tiny_checkpoint

__all__ = ["tiny_checkpoint"]

SOUND = (0.1 * np.random.default_rng(0).standard_normal(160_000)).astype(np.float32)


@pytest.mark.filterwarnings("ignore:Empty filters detected")  # so has the published one
@pytest.mark.parametrize("kind", ["noise", "tone", "silence"])
def test_decibels_are_those_of_a_mel_spectrogram(kind: str):
    tone = np.sin(np.arange(160_000) * 0.05, dtype=np.float32)
    sound = {"noise": SOUND, "tone": tone, "silence": 0 * SOUND}[kind]
    mel = librosa.feature.melspectrogram(
        y=sound.astype(np.float64), sr=16_000, n_fft=1024, hop_length=512, n_mels=128, htk=True, norm=None,
        pad_mode="reflect", fmin=0, fmax=8000,
    )  # fmt: skip
    wanted = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=80.0).T
    assert wanted.shape == (313, 128)
    np.testing.assert_allclose(decibels(sound, 128), wanted, atol=1e-3)


def test_what_the_network_sees_is_filled_up_and_then_normed():
    seen, level = prepare_decibels(SOUND, 128, 1024), decibels(SOUND, 128)
    assert seen.shape == (1024, 128) and seen.dtype == np.float32
    assert np.ptp(seen[313:]) == 0
    assert seen.std() == pytest.approx(0.5, rel=1e-4) and seen.mean() == pytest.approx(0, abs=1e-5)
    filled = np.concatenate([level, np.zeros((711, 128))])
    np.testing.assert_allclose(seen, (filled - filled.mean()) / filled.std() / 2, atol=1e-4)


def test_thirty_vectors_lie_in_ten_seconds_whole():
    heard = hearing(Options(), Config(), DECIBELS)
    assert (heard.chunk, heard.vectors, heard.rate_hz) == (160_000, 30, 3.125)
    assert heard.start_s == pytest.approx(7.5 * 0.032)


def test_an_encoder_gives_the_vectors_that_have_heard_something(tiny_checkpoint):
    encoder = load(tiny_checkpoint("audio-spectrogram-transformer"), view=DECIBELS)
    mel = encoder.preprocess(SOUND[: encoder.hearing.chunk])[None]
    assert mel.shape[1:] == encoder.input_shape
    out = np.asarray(encoder.apply(encoder.variables, jnp.asarray(mel)))
    assert out.shape == (1, encoder.hearing.vectors, *encoder.shape)
    assert np.isfinite(out).all()
