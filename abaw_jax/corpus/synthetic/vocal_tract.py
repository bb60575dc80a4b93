"""The filter half of the synthetic voice: formants, glottal slope and friction as complex spectra.

Every curve is minimum phase: a frame filtered with it rings after its source, not before it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float

# F1 to F3 of ten American vowels, averages over 33 men (Peterson & Barney 1952, table II).
VOWELS_HZ = np.array(
    [
        [270, 2290, 3010],  # heed
        [390, 1990, 2550],  # hid
        [530, 1840, 2480],  # head
        [660, 1720, 2410],  # had
        [730, 1090, 2440],  # hod
        [570, 840, 2410],  # hawed
        [440, 1020, 2240],  # hood
        [300, 870, 2240],  # who'd
        [640, 1190, 2390],  # hud
        [490, 1350, 1690],  # heard
    ],
    dtype=np.float64,
)
BANDWIDTHS_HZ = (60.0, 90.0, 130.0, 200.0)  # close to the defaults of Klatt 1980
F4_HZ = 3500.0  # a 17.5 cm tube has its resonances at 500, 1500, 2500, 3500 ... Hz
# The tube's poles go on for ever: without those far above the band a cascade loses 39 dB at 6 kHz.
UPPER_HZ = tuple(range(4500, 60_000, 1000))
UPPER_BANDWIDTH_HZ = 400.0

# How far a control bends the tract. Defaults, not from a paper: strong enough to be heard over the vowels.
OPEN_OCTAVES = (-0.35, 0.75)  # F1 of a closed and of a wide open mouth, against the vowel's own
OPEN_AT_REST = 0.3
SMILE_OCTAVES = (0.0, 0.28, 0.28, 0.22)  # F1 to F4: spread lips shorten the tube
FROWN_OCTAVES = (0.0, -0.40, -0.30, 0.0)  # rounding lengthens the front cavity, F2 most

FRICATIVES_HZ = ((2800.0, 1200.0), (5500.0, 1800.0), (6500.0, 5000.0))  # sh, s, f: centre and bandwidth


class Filters(NamedTuple):
    """One complex spectrum a frame for the voiced source and for the noise source."""

    voiced: Complex[np.ndarray, "t f"]
    noise: Complex[np.ndarray, "t f"]


def formants(
    vowel: Float[np.ndarray, "t 3"],
    open_: Float[np.ndarray, "t"],
    smile: Float[np.ndarray, "t"],
    frown: Float[np.ndarray, "t"],
    tract_scale: float,
) -> Float[np.ndarray, "t 4"]:
    """F1 to F4 in Hz: the vowel of a 17.5 cm tract, bent by the mouth and scaled to the speaker."""
    octaves = np.log2(np.column_stack([vowel, np.full(len(vowel), F4_HZ)]))
    octaves += np.outer(smile, SMILE_OCTAVES) + np.outer(frown, FROWN_OCTAVES)
    octaves[:, 0] += np.interp(open_, [0.0, OPEN_AT_REST, 1.0], [OPEN_OCTAVES[0], 0.0, OPEN_OCTAVES[1]])
    return tract_scale * 2.0**octaves


def resonance(
    hz: Float[np.ndarray, "f"], centre_hz: Float[np.ndarray, "..."], bandwidth_hz: float
) -> Complex[np.ndarray, "... f"]:
    """A pole pair with unit gain at 0 Hz: one formant of the cascade."""
    power = (centre_hz**2 + bandwidth_hz**2 / 4)[..., None].astype(np.float32)
    poles = (power - hz**2).astype(np.complex64)
    poles.imag = np.float32(bandwidth_hz) * hz
    return power / poles


class VocalTract:
    """The spectra that one speaker can form, on the bins of an FFT of `n_fft` samples."""

    def __init__(self, n_fft: int, sample_rate_hz: int, tract_scale: float, bandwidth_scale: float):
        self.hz = np.fft.rfftfreq(n_fft, 1 / sample_rate_hz).astype(np.float32)
        self.bandwidths_hz = [bandwidth_scale * bandwidth for bandwidth in BANDWIDTHS_HZ]
        self.upper = np.complex64(1)
        for centre in UPPER_HZ:
            self.upper = self.upper * resonance(self.hz, np.array(centre * tract_scale), UPPER_BANDWIDTH_HZ)
        self.upper = self.upper * _high_pass(self.hz, 60.0)
        self.colours = _colours(self.hz)
        self.aspiration = _high_pass(self.hz, 1500.0)
        friction = np.stack([resonance(self.hz, np.array(hz), width) for hz, width in FRICATIVES_HZ])
        friction *= self.aspiration**2
        room = 1 / (1 + 1j * self.hz / 200.0)
        self.room = (room * _to_power(room, np.ones(()))).astype(np.complex64)
        self.friction = friction * _to_power(friction, np.ones(len(friction)))

    def filters(
        self,
        formants_hz: Float[np.ndarray, "t 4"],
        colour: Float[np.ndarray, "t 3"],
        gain: Float[np.ndarray, "t 2"],
        friction: Float[np.ndarray, "t 3"],
    ) -> Filters:
        """Spectra whose power is that of `gain` (voicing, aspiration) and `friction`, whatever their shape.

        Without the normalisation a vowel would say more about the level than the energy does.
        """
        mouth = self.upper * np.ones((len(formants_hz), 1), np.complex64)
        for centre, bandwidth in zip(formants_hz.T, self.bandwidths_hz, strict=True):
            mouth *= resonance(self.hz, centre, bandwidth)
        voiced = mouth * _exp(_mix(colour, self.colours))
        voiced *= _to_power(voiced, gain[:, 0])
        mouth *= self.aspiration
        mouth *= _to_power(mouth, gain[:, 1])
        mouth += _mix(friction, self.friction)
        return Filters(voiced, mouth)


def _colours(hz: Float[np.ndarray, "f"]) -> Complex[np.ndarray, "3 f"]:
    """Logarithms of three curves, so that an exponent says how much of each a frame takes.

    The glottal slope (6 dB an octave above 200 Hz for 1), the highs that rounded lips keep back (up to
    9 dB for 1), and the ring of stretched folds around 6 kHz (1 dB at the top for 1). The last is made up:
    it tells a raised voice from a high one.
    """
    slope = -np.log1p(1j * hz / 200.0)
    rounding = np.log1p(1j * hz / 5000.0) - np.log1p(1j * hz / 1800.0)
    ring = np.log(_bump(hz, 6200.0, 2000.0, 1.0))
    return np.stack([slope, rounding, ring]).astype(np.complex64)


def _bump(hz: Float[np.ndarray, "f"], centre_hz: float, width_hz: float, db: float):
    poles = centre_hz**2 - hz**2 + 1j * width_hz * hz
    return (poles + 1j * (10 ** (db / 20) - 1) * width_hz * hz) / poles


def _high_pass(hz: Float[np.ndarray, "f"], corner_hz: float) -> Complex[np.ndarray, "f"]:
    ratio = 1j * hz / np.float32(corner_hz)
    return (ratio / (1 + ratio)).astype(np.complex64)


def _mix(weights: Float[np.ndarray, "t k"], curves: Complex[np.ndarray, "k f"]) -> Complex[np.ndarray, "t f"]:
    """`weights @ curves`; the real and the imaginary part apart, since BLAS has no product of mixed types."""
    weights = weights.astype(np.float32)
    mixed = np.empty((len(weights), curves.shape[1]), np.complex64)
    mixed.real = weights @ np.ascontiguousarray(curves.real)
    mixed.imag = weights @ np.ascontiguousarray(curves.imag)
    return mixed


def _exp(z: Complex[np.ndarray, "t f"]) -> Complex[np.ndarray, "t f"]:
    """The complex exponential, by three real ones that NumPy vectorises: a tenth of the time of `np.exp`."""
    size = np.exp(z.real)
    result = np.empty_like(z)
    np.multiply(size, np.cos(z.imag), out=result.real)
    np.multiply(size, np.sin(z.imag), out=result.imag)
    return result


def _to_power(spectrum: Complex[np.ndarray, "... f"], gain: Float[np.ndarray, "..."]) -> np.ndarray:
    """The factor that gives a spectrum the power `gain`^2 a bin."""
    parts = np.ascontiguousarray(spectrum, np.complex64).view(np.float32)
    power = np.einsum("...f,...f->...", parts, parts) / spectrum.shape[-1]
    return (gain / np.sqrt(power)).astype(np.float32)[..., None]
