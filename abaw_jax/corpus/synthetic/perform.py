"""From what a track shows of its affect to how a face moves and a voice sounds."""

import numpy as np
import scipy.signal
from jaxtyping import Bool, Float

from abaw_jax.corpus.synthetic.affect import Affect
from abaw_jax.corpus.synthetic.face import Look
from abaw_jax.corpus.synthetic.voice import Prosody

SEMITONES = 3.0
DECIBELS = 4.0
TILT = 0.5
"""One unit of shown pitch, energy and tilt."""
BLINK_EVERY_S = 3.5
BLINK_S = 0.2
COVER_S = 0.15
"""A hand takes this long to come up before nothing of the face can be read."""


def look_of(affect: Affect, fps: float, rng: np.random.Generator) -> Look:
    """Head, eyes, light and camera wander slowly; the action units are those shown; the cover is total."""
    rows = len(affect.va)

    def drift(spread: float, time_s: float) -> np.ndarray:
        return rng.normal(0, spread / 2) + _drift(rows, spread, time_s * fps, rng)

    look = Look.neutral(rows)
    look.au = affect.shown_actions.astype(np.float32)
    look.yaw = np.clip(drift(9, 1.5), -30, 30).astype(np.float32)
    look.pitch = np.clip(drift(4, 1.5), -15, 15).astype(np.float32)
    look.roll = np.clip(drift(4, 2.0), -20, 20).astype(np.float32)
    look.gaze = np.stack([drift(0.25, 0.4), drift(0.15, 0.4)], axis=1).clip(-1, 1).astype(np.float32)
    look.blink = _blinks(rows, fps, rng).astype(np.float32)
    light = np.stack([drift(0.3, 4), -0.4 + drift(0.2, 4), np.clip(1 + drift(0.1, 3), 0.6, 1.4)], axis=1)
    look.light = light.astype(np.float32)
    look.occlusion = _cover(affect.is_visible, COVER_S * fps).astype(np.float32)
    look.blur = np.clip(rng.uniform(0.3, 0.7) + drift(0.1, 0.5), 0.2, 1.5).astype(np.float32)
    look.noise = np.full(rows, rng.uniform(0.005, 0.015), np.float32)
    return look


def prosody_of(affect: Affect, fps: float) -> Prosody:
    """What can be heard: nothing in pauses and where the channel is lost."""
    return say(affect.shown_prosody, affect.is_heard, fps)


def say(shown: Float[np.ndarray, "t 6"], is_heard: Bool[np.ndarray, " t"], fps: float) -> Prosody:
    """Pitch, energy, tilt; open, smile, frown: what is shown, turned into what a voice does."""
    pitch, energy, tilt, opening, smile, frown = shown.T
    return Prosody(
        rate_hz=fps,
        speaking=is_heard.astype(float),
        pitch=SEMITONES * pitch.clip(-3, 3),
        energy=DECIBELS * energy.clip(-3, 3),
        tilt=(TILT * tilt).clip(-1, 1),
        rate=np.clip(1 + 0.12 * energy, 0.7, 1.4),
        open=opening.clip(0, 1),
        smile=smile.clip(0, 1),
        frown=frown.clip(0, 1),
    )


def _drift(rows: int, spread: float, time_rows: float, rng: np.random.Generator) -> np.ndarray:
    """Twice-smoothed noise of standard deviation `spread`."""
    keep = np.exp(-1 / max(time_rows, 1e-3))
    lead = int(6 * time_rows) + 1
    smooth = scipy.signal.lfilter([1 - keep], [1, -keep], rng.normal(size=rows + lead))
    smooth = scipy.signal.lfilter([1 - keep], [1, -keep], smooth)
    impulse = np.zeros(lead + 1)
    impulse[0] = 1
    gain = scipy.signal.lfilter([(1 - keep) ** 2], np.convolve([1, -keep], [1, -keep]), impulse)
    return spread * smooth[lead:] / np.sqrt((gain**2).sum())


def _blinks(rows: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    closed = np.zeros(rows)
    count = rng.poisson(rows / fps / BLINK_EVERY_S)
    for centre in rng.uniform(0, rows, count):
        closed = np.maximum(closed, 1 - np.abs(np.arange(rows) - centre) / max(BLINK_S * fps / 2, 1))
    return closed.clip(0, 1)


def _cover(is_visible: np.ndarray, ramp_rows: float) -> np.ndarray:
    """1 wherever the face is not visible, rising to it in the rows before and falling in those after."""
    hidden = np.flatnonzero(~is_visible)
    if not len(hidden):
        return np.zeros(len(is_visible))
    rows = np.arange(len(is_visible))
    after = np.searchsorted(hidden, rows)
    gap = np.minimum(
        np.abs(rows - hidden[np.minimum(after, len(hidden) - 1)]),
        np.abs(rows - hidden[np.maximum(after - 1, 0)]),
    )
    return np.clip(1 - gap / (ramp_rows + 1), 0, 1)
