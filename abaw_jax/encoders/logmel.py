"""Log-mel energies as features without weights: 64 bands, a hundred times a second."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from abaw_jax.encoders.encoder import Encoder, Options, Variables
from abaw_jax.encoders.hearing import Hearing
from abaw_jax.encoders.listening import hearing_of
from abaw_jax.types import Array

REVISION = 1
SAMPLE_RATE_HZ = 16_000
WINDOW = 400  # 25 ms
HOP = 160  # 10 ms
FFT = 512
MELS = 64
CHUNK_S = 10.0  # no vector needs more context than its windows, so any would do


@functools.cache
def _filters() -> Float[np.ndarray, "m f"]:
    import librosa

    return librosa.filters.mel(sr=SAMPLE_RATE_HZ, n_fft=FFT, n_mels=MELS, dtype=np.float64)


def decibels(sound: Float[np.ndarray, " s"]) -> Float[np.ndarray, "t m"]:
    """Of every window that fits in whole, over an absolute floor: one below a chunk's peak would jump."""
    import librosa

    # librosa centres a short window in its FFT: padded by the rest, a frame hears its own window and no more
    padded = np.pad(np.asarray(sound, np.float64), (FFT - WINDOW) // 2)
    spectrum = librosa.stft(padded, n_fft=FFT, hop_length=HOP, win_length=WINDOW, center=False)
    energies = _filters() @ (spectrum.real**2 + spectrum.imag**2)
    return librosa.power_to_db(energies, ref=1.0, amin=1e-10, top_db=None).T


def hearing(options: Options, frames: int = 1) -> Hearing:
    """A vector of so many windows, every hop; past-only, each from a chunk of just these."""
    around = (frames - 1) * HOP
    if options.is_causal:
        options = dataclasses.replace(
            options, chunk_s=HOP / SAMPLE_RATE_HZ, hop_s=options.hop_s or HOP / SAMPLE_RATE_HZ
        )
    return hearing_of(
        options, SAMPLE_RATE_HZ, HOP, first=(around + WINDOW) // 2, edge=around + WINDOW - HOP,
        chunk_s=CHUNK_S, hop_s=options.chunk_s or CHUNK_S,
    )  # fmt: skip


def as_prepared(variables: Variables, x: Array) -> Float[jax.Array, "b t d"]:
    """Nothing is left to do on the device."""
    return jnp.asarray(x)


def build(options: Options) -> Encoder:
    """The encoder; it has one view."""
    options.refuse("logmel", "region", "view", "dtype", *(("chunk_s",) if options.is_causal else ()))
    heard = hearing(options)
    return Encoder(
        name="logmel",
        modality="audio",
        shape=(MELS,),
        preprocess=lambda sound: decibels(sound).astype(np.float32),
        apply=as_prepared,
        variables={},
        identity={"kind": "logmel", "revision": REVISION},
        input_shape=(heard.vectors, MELS),
        hearing=heard,
    )
