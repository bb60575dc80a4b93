"""A babbling source-filter voice (Fant 1960) whose pitch, energy, tilt and mouth follow control tracks.

Pulses and noise are cut into short overlapping frames, each frame is filtered by the spectrum of its moment
and the frames are added up: no control can click, and the cost does not depend on the pitch.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from abaw_jax.corpus.synthetic.babble import babble
from abaw_jax.corpus.synthetic.glottis import Pulses, pulse_train, pulses
from abaw_jax.corpus.synthetic.vocal_tract import OPEN_AT_REST, VocalTract, formants

HOP_S = 0.008
FFT_HOPS = 8  # 2 hops of source and 48 ms for it to ring out: F1 has decayed by 70 dB then
CHUNK_FRAMES = 512  # 4 s: the working set stays in the cache and long tracks cost no memory

# Levels in dB re full scale. Defaults, not from a paper.
SPEECH_DB = -27.0
ROOM_DB = (-55.0, -45.0)
CEILING = 0.95
# Controls are held inside these, and the others between 0 and 1.
LIMITS = {"pitch": (-18.0, 18.0), "energy": (-40.0, 14.0), "tilt": (-1.5, 1.5), "rate": (0.3, 3.0)}
F0_HZ = (50.0, 600.0)

# How strongly the controls sound. Defaults, not from a paper.
OPEN_DB = 3.0
TILT_SLOPE = 0.75  # units of 6 dB an octave
BREATH_DB = 5.0  # more breath in a soft voice, less in a hard one
RING_DB = 2.0  # a semitone, around 6 kHz: what is left of relative pitch when the speaker is not known
ATTACK = np.array([1, 3, 4, 3, 1]) / 12  # the voice sets in and stops over 40 ms


@dataclass(frozen=True)
class Timbre:
    """Who speaks: everything about a voice that does not change with what is felt."""

    base_hz: float
    tract_scale: float
    """Formants against those of the average man: above 1 for a shorter tract."""
    bandwidth_scale: float
    breath_db: float
    """Level of the breath noise under the voice."""
    slope: float
    """Glottal slope in units of 6 dB an octave."""
    syllable_hz: float
    vibrato_semitones: float
    vibrato_hz: float
    jitter: float
    """Standard deviation of a period, as a fraction of it."""


def sample_timbre(rng: np.random.Generator) -> Timbre:
    """A speaker between a deep and a high adult voice.

    Tract length goes with pitch: women's formants lie about 17 % above men's (Peterson & Barney 1952) and
    their pitch about 0.8 octaves; here, more gently, 14 % an octave. So a high voice and a raised voice
    differ in more than pitch.
    """
    # The mean of two draws: the ends are rare, as an extreme base would pass for a raised or lowered pitch.
    octaves = np.log2(250.0 / 85.0) * rng.random(2).mean()
    return Timbre(
        base_hz=float(85.0 * 2.0**octaves),
        tract_scale=float(0.96 * 2.0 ** (0.19 * octaves) * np.exp(0.01 * rng.standard_normal())),
        bandwidth_scale=float(rng.uniform(0.9, 1.3)),
        breath_db=float(rng.uniform(-30.0, -24.0)),
        slope=float(rng.uniform(0.85, 0.95)),
        syllable_hz=float(rng.uniform(4.0, 5.5)),
        vibrato_semitones=float(rng.uniform(0.0, 0.3)),
        vibrato_hz=float(rng.uniform(4.5, 6.5)),
        jitter=float(rng.uniform(0.002, 0.01)),
    )


@dataclass(frozen=True)
class Prosody:
    """How it is said: one value a row, where row k fills the time from k / rate_hz to (k + 1) / rate_hz."""

    rate_hz: float | int
    speaking: Float[np.ndarray, "n"]
    """0 to 1; 0 is silence."""
    pitch: Float[np.ndarray, "n"]
    """Semitones above the speaker's base."""
    energy: Float[np.ndarray, "n"]
    """dB above a normal voice."""
    tilt: Float[np.ndarray, "n"]
    """-1 (soft, breathy) to 1 (hard, pressed)."""
    rate: Float[np.ndarray, "n"]
    """Speaking rate as a factor of the speaker's own."""
    open: Float[np.ndarray, "n"]
    """0 to 1, from AU25 and AU26."""
    smile: Float[np.ndarray, "n"]
    """0 to 1, from AU12."""
    frown: Float[np.ndarray, "n"]
    """0 to 1, from AU15."""

    def __post_init__(self):
        if not self.rate_hz > 0:
            raise ValueError(f"rate_hz is {self.rate_hz}, expected a positive number of rows a second")
        for name, values in self.tracks().items():
            if values.shape != self.speaking.shape or values.ndim != 1:
                raise ValueError(f"{name} has shape {values.shape}, speaking has {self.speaking.shape}")
            if not np.isfinite(values).all():
                raise ValueError(f"{name} holds a value that is not finite")

    def tracks(self) -> dict[str, np.ndarray]:
        """The control arrays by name."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "rate_hz"}

    @classmethod
    def neutral(cls, n: int, rate_hz: float | int) -> "Prosody":
        """An even voice that never pauses."""
        zero, one = np.zeros(n), np.ones(n)
        return cls(rate_hz, one, zero, zero, zero, one, np.full(n, OPEN_AT_REST), zero, zero)


def synthesise(
    timbre: Timbre,
    prosody: Prosody,
    rng: np.random.Generator,
    samples: int | None = None,
    sample_rate_hz: int = 16000,
) -> Float[np.ndarray, "s"]:
    """Mono sound between -1 and 1; past the last row the voice goes on as that row says.

    The generator moves on by the same amount whatever is said. Silence sounds the same whoever keeps it
    and whatever the other controls are.
    """
    n = len(prosody.speaking)
    if samples is None:
        samples = round(n / prosody.rate_hz * sample_rate_hz)
    if n == 0:
        prosody = replace(Prosody.neutral(1, prosody.rate_hz), speaking=np.zeros(1))
    seeds = rng.integers(2**63, size=4)
    words, folds, noise, room = (np.random.default_rng(seed) for seed in seeds)

    hop = round(HOP_S * sample_rate_hz)
    score = _score(timbre, prosody, words, -(-samples // hop) + 1, hop / sample_rate_hz)
    tract = VocalTract(FFT_HOPS * hop, sample_rate_hz, timbre.tract_scale, timbre.bandwidth_scale)
    source = pulses(score.f0_hz, timbre.jitter, folds, hop, sample_rate_hz)

    sound = np.empty(samples, np.float32)
    at = -hop  # the first frame is centred on the first sample and begins a hop before it
    for block in _render(score, tract, source, (noise, room), hop):
        fitting = block[max(-at, 0) : max(samples - at, 0)]
        start = max(at, 0)
        sound[start : start + len(fitting)] = fitting
        at += len(block)
    return sound


class Score(NamedTuple):
    """The controls of source and filter, one row a frame."""

    f0_hz: Float[np.ndarray, "t"]
    formants_hz: Float[np.ndarray, "t 4"]
    colour: Float[np.ndarray, "t 3"]
    gain: Float[np.ndarray, "t 2"]
    friction: Float[np.ndarray, "t 3"]


def _score(timbre: Timbre, prosody: Prosody, rng: np.random.Generator, frames: int, hop_s: float) -> Score:
    seconds = np.arange(frames) * hop_s
    said = _at(prosody, seconds)
    beat = np.cumsum(said["rate"]) * timbre.syllable_hz * hop_s
    words = babble(beat, rng)

    vibrato = timbre.vibrato_semitones * np.sin(2 * np.pi * timbre.vibrato_hz * seconds)
    f0_hz = np.clip(timbre.base_hz * 2 ** ((said["pitch"] + vibrato) / 12), *F0_HZ)
    level_db = SPEECH_DB + said["energy"] + OPEN_DB * (said["open"] - OPEN_AT_REST)
    level = said["speaking"] * 10 ** (level_db / 20)
    voicing = level * 10 ** (words.voicing_db / 20)
    breath_db = timbre.breath_db - BREATH_DB * said["tilt"]
    return Score(
        f0_hz,
        formants(words.vowel, said["open"], said["smile"], said["frown"], timbre.tract_scale),
        np.column_stack([timbre.slope - TILT_SLOPE * said["tilt"], said["frown"], RING_DB * said["pitch"]]),
        np.column_stack([voicing, voicing * 10 ** (breath_db / 20)]),
        level[:, None] * words.friction,
    )


def _at(prosody: Prosody, seconds: Float[np.ndarray, "t"]) -> dict[str, np.ndarray]:
    """The control tracks at the frames: between the centres of rows a line, but a pause ends with its row."""
    tracks = {name: np.clip(track, *LIMITS.get(name, (0.0, 1.0))) for name, track in prosody.tracks().items()}
    n = len(prosody.speaking)
    row = seconds * prosody.rate_hz
    said = {name: np.interp(row - 0.5, np.arange(n), track) for name, track in tracks.items()}
    held = tracks["speaking"][np.minimum(row.astype(int), n - 1)]
    said["speaking"] = np.convolve(np.pad(held, 2, mode="edge"), ATTACK, mode="valid")
    return said


def _render(
    score: Score, tract: VocalTract, source: Pulses, rngs: tuple[np.random.Generator, ...], hop: int
) -> Iterator[Float[np.ndarray, "s"]]:
    """The voice in blocks, from one hop before the first sample on."""
    # Hann windows a hop apart add up to one: with a filter at rest the frames add up to plain filtering.
    window = np.hanning(2 * hop + 1)[:-1].astype(np.float32)
    noises = np.zeros((2, 1, hop), np.float32)
    room = tract.room * np.float32(10 ** (rngs[1].uniform(*ROOM_DB) / 20))
    ceiling = np.float32(CEILING)
    ringing = np.zeros((FFT_HOPS - 1, hop), np.float32)
    for first in range(0, len(score.f0_hz), CHUNK_FRAMES):
        part = Score(*(values[first : first + CHUNK_FRAMES] for values in score))
        count = len(part.f0_hz)
        train = pulse_train(source, (first - 1) * hop, (count + 1) * hop).reshape(-1, hop)
        fresh = [rng.standard_normal((count, hop), np.float32) for rng in rngs]
        noises = np.concatenate([noises[:, -1:], fresh], axis=1)
        filters = tract.filters(part.formants_hz, part.colour, part.gain, part.friction)
        spectrum = filters.voiced * _spectra(train, window) + filters.noise * _spectra(noises[0], window)
        spectrum += room * _spectra(noises[1], window)
        frames = np.fft.irfft(spectrum, FFT_HOPS * hop).reshape(count, FFT_HOPS, hop)
        total = np.concatenate([ringing, np.zeros((count, hop), np.float32)])
        for k in range(FFT_HOPS):
            total[k : k + count] += frames[:, k]
        ringing = total[count:]
        yield ceiling * np.tanh(total[:count].ravel() / ceiling)
    yield ceiling * np.tanh(ringing.ravel() / ceiling)


def _spectra(blocks: Float[np.ndarray, "k s"], window: Float[np.ndarray, "w"]) -> np.ndarray:
    frames = np.concatenate([blocks[:-1], blocks[1:]], axis=1) * window
    return np.fft.rfft(frames, FFT_HOPS * blocks.shape[1])
