"""Mel filter banks and framed spectra in numpy, on both scales that the encoders' references use."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

# Slaney's scale (Auditory Toolbox 1998): linear below 1 kHz, logarithmic above, 27 steps to a factor of 6.4
SLANEY_HZ_A_MEL = 200 / 3
SLANEY_BREAK_HZ = 1000.0
SLANEY_BREAK_MEL = SLANEY_BREAK_HZ / SLANEY_HZ_A_MEL
SLANEY_STEP = np.log(6.4) / 27


def htk_mel(hz: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """O'Shaughnessy's scale as HTK and Kaldi have it."""
    return 1127.0 * np.log1p(np.asarray(hz) / 700.0)


def htk_hz(mel: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """The inverse of `htk_mel`."""
    return 700.0 * np.expm1(np.asarray(mel) / 1127.0)


def slaney_mel(hz: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Slaney's scale, as librosa and Whisper have it."""
    hz = np.asarray(hz, np.float64)
    above = SLANEY_BREAK_MEL + np.log(np.maximum(hz, SLANEY_BREAK_HZ) / SLANEY_BREAK_HZ) / SLANEY_STEP
    return np.where(hz >= SLANEY_BREAK_HZ, above, hz / SLANEY_HZ_A_MEL)


def slaney_hz(mel: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """The inverse of `slaney_mel`."""
    mel = np.asarray(mel, np.float64)
    above = SLANEY_BREAK_HZ * np.exp(SLANEY_STEP * (mel - SLANEY_BREAK_MEL))
    return np.where(mel >= SLANEY_BREAK_MEL, above, mel * SLANEY_HZ_A_MEL)


SCALES: dict[str, tuple[Callable, Callable]] = {"htk": (htk_mel, htk_hz), "slaney": (slaney_mel, slaney_hz)}


def mel_filters(
    sample_rate_hz: int, fft: int, mels: int, low_hz: float, high_hz: float, scale: str, is_area_one: bool
) -> Float[np.ndarray, "m f"]:
    """Triangles that are straight over Hz, their corners evenly spaced on the mel scale; float64.

    `is_area_one` divides each by its width (Slaney), so that all weigh noise alike.
    """
    to_mel, to_hz = SCALES[scale]
    low, high = to_mel(np.array([low_hz, high_hz]))
    corners = to_hz(np.linspace(low, high, mels + 2))
    hz = np.linspace(0, sample_rate_hz / 2, fft // 2 + 1)
    rising = (hz - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - hz) / np.diff(corners)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return triangles * (2 / (corners[2:] - corners[:-2]))[:, None] if is_area_one else triangles


def mel_triangles(
    sample_rate_hz: int, fft: int, mels: int, low_hz: float, high_hz: float
) -> Float[np.ndarray, "m f"]:
    """Triangles that are straight over HTK's mel, as Kaldi and VGGish have them; float64."""
    low, high = htk_mel(np.array([low_hz, high_hz]))
    corners = np.linspace(low, high, mels + 2)
    mel = htk_mel(np.linspace(0, sample_rate_hz / 2, fft // 2 + 1))
    rising = (mel - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - mel) / np.diff(corners)[1:, None]
    return np.maximum(0, np.minimum(rising, falling))


def hann(length: int, is_periodic: bool = True) -> Float[np.ndarray, " {length}"]:
    """The window; periodic, it would be one sample longer to end in zero; float64."""
    period = length if is_periodic else length - 1
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / period)


def frames(sound: Float[np.ndarray, " s"], length: int, hop: int) -> Float[np.ndarray, "t {length}"]:
    """Overlapping views of a sound, as many as fit in whole."""
    return np.lib.stride_tricks.sliding_window_view(sound, length)[::hop]


def power(framed: Float[np.ndarray, "t s"], window: Float[np.ndarray, " s"], fft: int) -> np.ndarray:
    """|FFT|² of windowed frames, [t f]."""
    spectrum = np.fft.rfft(framed * window, fft)
    return spectrum.real**2 + spectrum.imag**2
