"""Features without weights: what they are, and that nobody can tell where a chunk ended."""

import numpy as np
import pytest

from abaw_jax.encoders.encoder import Encoder
from abaw_jax.encoders.hearing import cut, native_chunks
from abaw_jax.encoders.load import load
from abaw_jax.encoders.mel import frames, hann, mel_filters, power

HALF_FIELD = {"logmel": 200, "mfcc": 840}  # half a window; and four hops of differences


def noise(samples: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)


def track(encoder: Encoder, sound: np.ndarray) -> np.ndarray:
    """All vectors of a sound, chunk by chunk."""
    plan = native_chunks(encoder.hearing, len(sound))
    parts = []
    for start, keep in zip(plan.starts, plan.keep, strict=True):
        batch = encoder.preprocess(cut(sound, int(start), encoder.hearing.chunk))[None]
        assert batch.shape[1:] == encoder.input_shape and batch.dtype == np.float32
        parts.append(np.asarray(encoder.apply(encoder.variables, batch))[0, keep])
    return np.concatenate(parts)


def test_log_mel_is_its_definition():
    sound = noise(16_000)
    encoder = load("logmel", chunk_s=0.5)
    ours = encoder.preprocess(sound[: encoder.hearing.chunk])
    spectrum = power(frames(sound.astype(np.float64), 400, 160), hann(400), 512)
    energies = spectrum @ mel_filters(16_000, 512, 64, 0.0, 8000.0, "slaney", is_area_one=True).T
    np.testing.assert_allclose(ours, 10 * np.log10(energies)[: len(ours)], atol=1e-4)
    assert ours.shape == (50, 64)


def test_silence_is_the_floor():
    encoder = load("logmel", chunk_s=0.1)
    np.testing.assert_array_equal(encoder.preprocess(np.zeros(encoder.hearing.chunk, np.float32)), -100.0)


def test_cepstra_are_the_cosine_transform_of_log_mel_and_its_slopes():
    sound = noise(16_000)
    encoder = load("mfcc", chunk_s=0.3)
    ours = encoder.preprocess(sound[: encoder.hearing.chunk])
    still = load("logmel", chunk_s=0.38).preprocess(sound[: 38 * 160 + 240]).astype(np.float64)
    k, m = np.arange(13)[:, None], np.arange(64)[None]
    cosines = np.sqrt(2 / 64) * np.cos(np.pi * k * (m + 0.5) / 64)
    cosines[0] /= np.sqrt(2)
    cepstra = still @ cosines.T
    np.testing.assert_allclose(ours[:, :13], cepstra[4:-4], atol=1e-3)
    # least squares over nine frames: a slope, and twice the curvature of a parabola
    t = np.arange(-4.0, 5.0)
    slope = t / (t**2).sum()
    curvature = 2 * np.linalg.pinv(np.stack([np.ones(9), t, t**2], axis=1))[2]
    windows = np.lib.stride_tricks.sliding_window_view(cepstra, 9, axis=0)
    np.testing.assert_allclose(ours[:, 13:26], windows @ slope, atol=1e-3)
    np.testing.assert_allclose(ours[:, 26:], windows @ curvature, atol=1e-3)
    assert ours.shape == (30, 39)


@pytest.mark.parametrize("name", HALF_FIELD)
@pytest.mark.parametrize(("chunk_s", "hop_s"), [(0.7, None), (1.0, 0.31), (0.05, None)])
def test_chunks_leave_no_trace(name: str, chunk_s: float, hop_s: float | None):
    sound = noise(35_117)
    whole = load(name, chunk_s=len(sound) / 16_000 + 0.1)
    cut_up = load(name, chunk_s=chunk_s, hop_s=hop_s)
    one, many = track(whole, sound), track(cut_up, sound)
    assert len(native_chunks(whole.hearing, len(sound)).starts) == 1
    assert len(native_chunks(cut_up.hearing, len(sound)).starts) > 2
    assert one.shape == many.shape == (-(-len(sound) // 160), *whole.shape)
    np.testing.assert_allclose(many, one, atol=1e-4)


@pytest.mark.parametrize("name", HALF_FIELD)
def test_a_click_is_heard_by_the_vectors_around_it(name: str):
    encoder = load(name, chunk_s=0.5)
    quiet = noise(16_000)
    heard, half = encoder.hearing, HALF_FIELD[name]
    at = heard.start_s * 16_000 + heard.stride * np.arange(100)
    assert (heard.rate_hz, heard.first) == (100.0, half)
    for sample in (2_000, 4_321, 8_000):
        click = quiet.copy()
        click[sample] += 0.5
        changed = np.abs(track(encoder, click) - track(encoder, quiet)).max(axis=1) > 0
        # a periodic window's first sample weighs nothing
        np.testing.assert_array_equal(changed, (at - half < sample) & (sample < at + half))


@pytest.mark.parametrize("name", HALF_FIELD)
def test_past_only_hears_nothing_of_the_future_and_is_as_good(name: str):
    encoder, both = load(name, is_causal=True), load(name, chunk_s=0.5)
    heard = encoder.hearing
    assert (heard.future_s, heard.rate_hz, heard.vectors, heard.chunk) == (
        0.0,
        100.0,
        1,
        2 * HALF_FIELD[name],
    )
    quiet = noise(8_000)
    click = quiet.copy()
    click[4_321] += 0.5
    changed = np.flatnonzero(np.abs(track(encoder, click) - track(encoder, quiet)).max(axis=1) > 0)
    times = heard.start_s * 16_000 + heard.stride * changed
    assert (times > 4_321).all() and len(times) == len(
        range(-(-4_322 // 160), (4_321 + heard.chunk - 1) // 160 + 1)
    )
    # the same vectors, each later by half of what it hears
    sound = np.concatenate([noise(heard.chunk)[: heard.chunk - 160], noise(4_000)])
    late, early = track(encoder, sound), track(both, sound)
    ends = heard.stride * (1 + np.arange(len(late)))
    for n in np.flatnonzero(ends >= heard.chunk):
        same = (ends[n] - heard.chunk) // 160
        if (ends[n] - heard.chunk) % 160 == 0:
            np.testing.assert_allclose(late[n], early[same], atol=1e-4)


@pytest.mark.parametrize("name", HALF_FIELD)
@pytest.mark.parametrize("options", [{"view": "last"}, {"region": "mouth"}, {"dtype": "bfloat16"},
                                     {"is_causal": True, "chunk_s": 1.0}])  # fmt: skip
def test_options_that_mean_nothing_here_are_refused(name: str, options: dict):
    with pytest.raises(ValueError, match=f"{name} knows no {list(options)[-1]}"):
        load(name, **options)
