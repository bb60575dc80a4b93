"""The source half of the synthetic voice: a train of band-limited pulses at a moving pitch."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

TAPS = 16


class Pulses(NamedTuple):
    """When the folds close, in samples and in order, and how hard."""

    at: Float[np.ndarray, "p"]
    gain: Float[np.ndarray, "p"]


def pulses(
    f0_hz: Float[np.ndarray, "t"], jitter: float, rng: np.random.Generator, hop: int, sample_rate_hz: int
) -> Pulses:
    """The pulses of a whole track, whose pitch is given every `hop` samples; of unit power at any pitch.

    The phase is summed over the track once, so that rendering it in pieces cannot break it.
    """
    cycles = np.concatenate([[0.0], np.cumsum((f0_hz[1:] + f0_hz[:-1]) / 2)]) * hop / sample_rate_hz
    wanted = np.arange(int(cycles[-1]) + 1.0)
    wanted += jitter * rng.standard_normal(len(wanted))
    frame = np.interp(wanted, cycles, np.arange(len(cycles)))
    return Pulses(frame * hop, np.sqrt(sample_rate_hz / np.interp(frame, np.arange(len(f0_hz)), f0_hz)))


def pulse_train(pulses: Pulses, start: int, length: int) -> Float[np.ndarray, "s"]:
    """The samples from `start` on, each pulse a windowed sinc since its time is no whole sample."""
    half = TAPS // 2
    first, last = np.searchsorted(pulses.at, [start - half, start + length + half])
    times = pulses.at[first:last] - start
    taps = np.floor(times).astype(int)[:, None] + np.arange(1 - half, half + 1)
    off = taps - times[:, None]
    values = pulses.gain[first:last, None] * np.sinc(off) * np.cos(np.pi / TAPS * off) ** 2
    inside = (taps >= 0) & (taps < length)
    return np.bincount(taps[inside], values[inside], minlength=length).astype(np.float32)
