from dataclasses import replace

import numpy as np
import pytest

from abaw_jax.corpus.synthetic import babble, voice
from abaw_jax.corpus.synthetic.voice import Prosody, Timbre, sample_timbre, synthesise

RATE_HZ = 25
PLAIN = Timbre(
    base_hz=120.0,
    tract_scale=1.0,
    bandwidth_scale=1.0,
    breath_db=-28.0,
    slope=0.9,
    syllable_hz=4.5,
    vibrato_semitones=0.0,
    vibrato_hz=5.0,
    jitter=0.002,
)


def steady(seconds=4.0, rate_hz=RATE_HZ, **controls):
    n = round(seconds * rate_hz)
    return replace(Prosody.neutral(n, rate_hz), **{k: np.full(n, float(v)) for k, v in controls.items()})


def say(prosody, timbre=PLAIN, seed=0, **options):
    return synthesise(timbre, prosody, np.random.default_rng(seed), **options)


def rms(sound):
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


def frames(sound, size=512, hop=160):
    return np.lib.stride_tricks.sliding_window_view(sound, size)[::hop] * np.hanning(size).astype(np.float32)


def vowel_power(sound, low_hz, high_hz):
    """The bins of a band and their median power in the louder half of the frames: no pause, no fricative."""
    power = np.abs(np.fft.rfft(frames(sound))) ** 2
    loudness = power[:, :64].sum(axis=1)
    hz = np.fft.rfftfreq(512, 1 / 16000)
    inside = (hz >= low_hz) & (hz < high_hz)
    return hz[inside], np.median(power[loudness > np.median(loudness)][:, inside], axis=0)


def band_db(sound, low_hz, high_hz):
    return 10 * np.log10(vowel_power(sound, low_hz, high_hz)[1].sum())


def centroid_hz(sound, low_hz, high_hz):
    hz, power = vowel_power(sound, low_hz, high_hz)
    return float((hz * power).sum() / power.sum())


def test_same_generator_state_gives_the_same_sound_and_another_does_not():
    timbre = sample_timbre(np.random.default_rng(3))
    assert timbre == sample_timbre(np.random.default_rng(3))
    assert timbre != sample_timbre(np.random.default_rng(4))
    first, again, other = (say(steady(1.0), timbre, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_generator_moves_on_by_the_same_amount_whatever_is_said():
    left, right = np.random.default_rng(0), np.random.default_rng(0)
    synthesise(PLAIN, steady(0.5), left)
    synthesise(PLAIN, steady(2.0, pitch=5, rate=2), right)
    assert left.random() == right.random()


def test_speakers_lie_in_the_adult_range():
    speakers = [sample_timbre(np.random.default_rng(seed)) for seed in range(200)]
    base = np.array([each.base_hz for each in speakers])
    assert base.min() >= 85 and base.max() <= 250 and base.min() < 100 and base.max() > 215
    assert all(0.9 < each.tract_scale < 1.3 for each in speakers)


@pytest.mark.parametrize("rate_hz", [6, 23.976, 25, 30, 1000.0])
@pytest.mark.parametrize("n", [0, 1, 2, 37])
def test_length_is_that_of_the_rows_at_any_rate(n, rate_hz):
    sound = say(Prosody.neutral(n, rate_hz))
    assert sound.shape == (round(n / rate_hz * 16000),)
    assert sound.dtype == np.float32


@pytest.mark.parametrize("n", [0, 1, 25])
@pytest.mark.parametrize("samples", [0, 1, 127, 128, 129, 20_001])
def test_any_number_of_samples_can_be_asked_for(n, samples):
    sound = say(Prosody.neutral(n, 25), samples=samples)
    assert sound.shape == (samples,)
    assert np.isfinite(sound).all()


def test_no_rows_are_silence_and_a_last_row_goes_on():
    assert rms(say(Prosody.neutral(0, 25), samples=16000)) < 10 ** (-44 / 20)
    assert rms(say(Prosody.neutral(1, 25), samples=32000)[16000:]) > 10 ** (-35 / 20)


def test_another_sample_rate_sounds_the_same_below_its_limit():
    prosody = steady(4.0)
    half = say(prosody, sample_rate_hz=8000)
    assert len(half) == 32000
    assert abs(20 * np.log10(rms(half) / rms(say(prosody)))) < 3


@pytest.mark.parametrize("seed", range(4))
def test_sound_stays_below_full_scale_at_the_extremes(seed):
    loud = steady(3.0, energy=99, tilt=9, pitch=(-99, 99)[seed % 2], open=5, smile=5, frown=-5, rate=99)
    sound = say(loud, sample_timbre(np.random.default_rng(seed)), seed)
    assert np.isfinite(sound).all()
    assert 0.3 < np.abs(sound).max() < 1.0


def test_plain_speech_is_not_limited():
    sound = say(steady(10.0))
    assert -33 < 20 * np.log10(rms(sound)) < -23
    assert np.abs(sound).max() < 0.5


def test_silence_tells_nothing_of_the_other_controls_nor_of_the_speaker():
    other = sample_timbre(np.random.default_rng(9))
    wild = {"pitch": 7, "energy": 12, "tilt": -1, "rate": 2, "open": 1, "smile": 1, "frown": 1}
    silence = say(steady(5.0, speaking=0))
    np.testing.assert_array_equal(silence, say(steady(5.0, speaking=0, **wild), other))
    assert -56 < 20 * np.log10(rms(silence)) < -44


def test_pauses_fall_on_their_rows():
    n = 6 * 4  # four seconds at six rows a second
    speaking = np.ones(n)
    speaking[6:12] = 0
    sound = say(replace(Prosody.neutral(n, 6), speaking=speaking))
    pause = sound[16000 + 1600 : 32000 - 1600]
    np.testing.assert_array_less(np.abs(pause).max(), 0.05)
    assert rms(sound[32000 + 1600 :]) > 4 * rms(pause)


def median_f0_hz(sound, low_hz, high_hz):
    """By autocorrelation, in the louder half of the frames."""
    spectra = np.fft.rfft(frames(sound, 1024), 2048)
    lags = np.fft.irfft(np.abs(spectra) ** 2)[:, :1024] / np.correlate(np.hanning(1024), np.hanning(1024))
    first, last = int(16000 / high_hz), int(16000 / low_hz)
    loud = lags[:, 0] > np.median(lags[:, 0])
    return float(np.median(16000 / (first + np.argmax(lags[loud, first:last], axis=1))))


@pytest.mark.parametrize("base_hz", [90.0, 140.0, 240.0])
@pytest.mark.parametrize("pitch", [-5.0, 0.0, 5.0])
def test_pitch_is_semitones_above_the_base(base_hz, pitch):
    wanted = base_hz * 2 ** (pitch / 12)
    sound = say(steady(3.0, pitch=pitch), replace(PLAIN, base_hz=base_hz))
    assert median_f0_hz(sound, wanted / 1.7, wanted * 1.7) == pytest.approx(wanted, rel=0.03)


def readings(name, values, measure):
    """The mean of a measure over four speakers, for each value of one control."""
    speakers = [sample_timbre(np.random.default_rng(seed)) for seed in range(4)]
    return [np.mean([measure(say(steady(4.0, **{name: v}), who)) for who in speakers]) for v in values]


def test_energy_is_decibels():
    levels = readings("energy", [-8, -4, 0, 4, 8], lambda sound: 20 * np.log10(rms(sound)))
    np.testing.assert_allclose(np.diff(levels), 4.0, atol=0.7)


def test_tilt_lifts_the_highs_against_the_lows():
    balance = readings("tilt", [-1, -0.5, 0, 0.5, 1], lambda s: band_db(s, 2000, 5000) - band_db(s, 80, 1000))
    assert np.all(np.diff(balance) > 2)


def test_open_mouth_raises_the_first_formant():
    centre = readings("open", [0, 0.5, 1], lambda sound: centroid_hz(sound, 200, 1300))
    assert np.all(np.diff(centre) > 80)


def test_smile_raises_and_frown_lowers_the_upper_formants():
    smile = readings("smile", [0, 0.5, 1], lambda sound: centroid_hz(sound, 1000, 5000))
    frown = readings("frown", [0, 0.5, 1], lambda sound: centroid_hz(sound, 1000, 5000))
    assert np.all(np.diff(smile) > 80)
    assert np.all(np.diff(frown) < -80)


def test_rate_makes_more_syllables():
    def dips(sound):
        level = np.log(np.mean(frames(sound) ** 2, axis=1))
        level = np.convolve(level, np.hanning(9)[1:-1] / 4, mode="valid")
        is_dip = (level[1:-1] < level[:-2]) & (level[1:-1] < level[2:])
        return np.sum(is_dip & (level[1:-1] < level.mean() - 0.5))

    slow, fast = readings("rate", [0.7, 1.4], dips)
    assert fast > 1.3 * slow


def loudest_highs(sound):
    hz = np.fft.rfftfreq(512, 1 / 16000)
    return (np.abs(np.fft.rfft(frames(sound, hop=64)))[:, hz > 5500] ** 2).sum(axis=1).max()


def test_controls_that_jump_do_not_click(monkeypatch):
    monkeypatch.setattr(babble, "FRICATIVE", 0.0)
    dull = replace(PLAIN, slope=3.0, breath_db=-80.0)  # all that it has above 5.5 kHz is the room
    is_odd = np.arange(750) // 15 % 2 == 1
    jumping = {name: np.where(is_odd, 1.0, 0.0) for name in ("speaking", "open", "smile", "frown")}
    jumping |= {"energy": np.where(is_odd, 6.0, -6.0), "pitch": np.where(is_odd, 4.0, -4.0)}
    sound = say(replace(Prosody.neutral(750, 125), **jumping), dull)
    room = loudest_highs(say(steady(6.0, speaking=0)))
    assert loudest_highs(sound) < 1.5 * room
    clicking = sound * np.where(np.arange(len(sound)) // 1920 % 2, 1.0, 0.5)
    assert loudest_highs(clicking.astype(np.float32)) > 1.5 * room  # the measure does see a click


def test_waveform_moves_in_small_steps():
    sound = say(steady(6.0))
    assert np.abs(np.diff(sound)).max() < 5 * rms(sound)


def test_sound_does_not_depend_on_the_chunks(monkeypatch):
    prosody = replace(steady(6.0), pitch=np.linspace(-4, 4, 150))
    whole = say(prosody)
    monkeypatch.setattr(voice, "CHUNK_FRAMES", 61)
    np.testing.assert_allclose(say(prosody), whole, atol=1e-6)


def test_longer_track_begins_like_a_shorter_one():
    np.testing.assert_allclose(say(steady(9.0))[:60_000], say(steady(4.0))[:60_000], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate_hz": 0}, "rate_hz is 0"),
        ({"pitch": np.zeros(3)}, r"pitch has shape \(3,\), speaking has \(2,\)"),
        ({"tilt": np.array([0.0, np.nan])}, "tilt holds a value that is not finite"),
    ],
)
def test_bad_controls_are_refused_by_name(change, message):
    prosody = Prosody.neutral(2, 25)
    for name, value in change.items():
        object.__setattr__(prosody, name, value)  # past the annotations, which only tests enforce
    with pytest.raises(ValueError, match=message):
        prosody.__post_init__()


# What a linear readout can hear of speakers that it has never met.

HEARD = {"pitch": 0.6, "energy": 0.7, "tilt": 0.65, "open": 0.7, "smile": 0.7, "frown": 0.5}


def wandering(rng, n):
    def track(low, high):
        knots = rng.uniform(low, high, n // 30 + 2)
        return np.interp(np.arange(n) / 30, np.arange(len(knots)), knots)

    speaking = np.where(track(0, 1) > 0.3, 1.0, 0.0)
    mouth = [track(0, 1) for _ in range(3)]
    return Prosody(RATE_HZ, speaking, track(-6, 6), track(-8, 8), track(-1, 1), np.ones(n), *mouth)


def log_mel_and_f0(sound, hop):
    """40 mel bands and log2 f0 a frame, and whether the frame is voiced."""
    edges = np.linspace(0, 2595 * np.log10(1 + 7600 / 700), 42)
    edges = 700 * (10 ** (edges / 2595) - 1)
    hz = np.fft.rfftfreq(512, 1 / 16000)
    rise = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    mel = np.maximum(0, np.minimum(rise, fall)).astype(np.float32)

    power = np.abs(np.fft.rfft(frames(np.pad(sound, (256, 256)), 512, hop), 1024)) ** 2
    lags = np.fft.irfft(power)[:, :320]
    best = 40 + np.argmax(lags[:, 40:], axis=1)
    is_voiced = lags[np.arange(len(lags)), best] > 0.5 * lags[:, 0]
    return np.column_stack([np.log(power[:, ::2] @ mel.T + 1e-6), np.log2(16000 / best)]), is_voiced


def examples(seeds, seconds=6, every=2):
    hop = 320
    features, targets = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        prosody = wandering(rng, seconds * RATE_HZ)
        heard, is_voiced = log_mel_and_f0(synthesise(sample_timbre(rng), prosody, rng), hop)
        rows = np.arange(13, seconds * RATE_HZ - 13, every)
        rows = rows[prosody.speaking[rows] > 0]
        for row in rows:
            centre = round((row + 0.5) / RATE_HZ * 16000 / hop)
            window = slice(centre - 25, centre + 26)
            f0 = np.median(heard[window, -1][is_voiced[window]]) if is_voiced[window].any() else 7.2
            features.append([*heard[window, :-1].mean(axis=0), *heard[window, :-1].std(axis=0), f0])
        targets.append(np.column_stack([prosody.tracks()[name][rows] for name in HEARD]))
    return np.array(features), np.concatenate(targets)


def test_linear_readout_hears_every_control_of_unseen_speakers():
    x, y = examples(range(80))
    x_new, y_new = examples(range(100, 124))
    mean, scale = x.mean(axis=0), x.std(axis=0)
    x, x_new = (x - mean) / scale, (x_new - mean) / scale
    weights = np.linalg.solve(x.T @ x + 30 * np.eye(x.shape[1]), x.T @ (y - y.mean(axis=0)))
    error = np.mean((y_new - y.mean(axis=0) - x_new @ weights) ** 2, axis=0)
    explained = dict(zip(HEARD, 1 - error / y_new.var(axis=0), strict=True))
    assert all(explained[name] >= least for name, least in HEARD.items()), explained
