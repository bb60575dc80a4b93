"""The audio spectrogram transformer as an encoder of voices: one vector a chunk, or ten a second.

The view `decibels` is what system D (arXiv 2603.13415) shows it: a mel spectrogram of 32 ms a frame in
decibels in place of the filter bank that it was trained on; ten seconds are less than a third of its input.
"""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from abaw_jax.encoders.encoder import Encoder, Options, choose, compute_dtype, in_compute_dtype
from abaw_jax.encoders.files import Checkpoint
from abaw_jax.encoders.hearing import Hearing
from abaw_jax.encoders.listening import hearing_of, last_of_chunk, one_of_chunk
from abaw_jax.encoders.mel import frames, hann, mel_filters, mel_triangles, power
from abaw_jax.encoders.naming import Spelling, load_variables, template_of
from abaw_jax.nn.backbones.ast import AST, SPECIAL, Config

REVISION = 1
SPELLING = Spelling(prefixes=("audio_spectrogram_transformer.",), ignored=(r"classifier\..*",))
SAMPLE_RATE_HZ = 16_000
WINDOW = 400  # 25 ms
HOP = 160  # 10 ms
FFT = 512
LOW_HZ, HIGH_HZ = 20.0, 8000.0
PREEMPHASIS = 0.97
FLOOR = 2.0**-23  # Kaldi's: float32's epsilon
AUDIOSET = {"mean": -4.2677393, "std": 4.5689974}
DECIBEL_FFT, DECIBEL_HOP, DECIBEL_CHUNK = 1024, 512, 10 * SAMPLE_RATE_HZ
POOLED_HOP_S = 1.0  # default, not from the paper
TIME_HOP_S = 8.0  # default, not from the paper: a second of context on either side


@functools.cache
def _filters(mels: int) -> Float[np.ndarray, "m f"]:
    return mel_triangles(SAMPLE_RATE_HZ, FFT, mels, LOW_HZ, HIGH_HZ)


def filter_bank(sound: Float[np.ndarray, " s"], mels: int) -> Float[np.ndarray, "t {mels}"]:
    """Kaldi's log filter bank without dither, of sound in [-1, 1] as the weights were trained on."""
    framed = frames(np.asarray(sound, np.float64), WINDOW, HOP)
    framed = framed - framed.mean(axis=1, keepdims=True)
    before = np.concatenate([framed[:, :1], framed[:, :-1]], axis=1)
    spectrum = power(framed - PREEMPHASIS * before, hann(WINDOW, is_periodic=False), FFT)
    return np.log(np.maximum(spectrum @ _filters(mels).T, FLOOR)).astype(np.float32)


def prepare(
    sound: Float[np.ndarray, " s"], mels: int, mean: float, deviation: float
) -> Float[np.ndarray, "t {mels}"]:
    """The filter bank, normed so that its standard deviation is a half."""
    return ((filter_bank(sound, mels) - mean) / (2 * deviation)).astype(np.float32)


@functools.cache
def _decibel_filters(mels: int) -> Float[np.ndarray, "m f"]:
    return mel_filters(SAMPLE_RATE_HZ, DECIBEL_FFT, mels, 0.0, SAMPLE_RATE_HZ / 2, "htk", is_area_one=False)


def decibels(sound: Float[np.ndarray, " s"], mels: int) -> Float[np.ndarray, "t {mels}"]:
    """As torchaudio's MelSpectrogram and AmplitudeToDB, at most 80 below the loudest."""
    padded = np.pad(np.asarray(sound, np.float64), DECIBEL_FFT // 2, mode="reflect")
    spectrum = power(frames(padded, DECIBEL_FFT, DECIBEL_HOP), hann(DECIBEL_FFT), DECIBEL_FFT)
    level = 10 * np.log10(np.maximum(spectrum @ _decibel_filters(mels).T, 1e-10))
    return np.maximum(level, level.max() - 80.0)


def prepare_decibels(sound: Float[np.ndarray, " s"], mels: int, length: int) -> Float[np.ndarray, "t {mels}"]:
    """Filled up with zeros to the network's length, and normed by what comes of it, as published."""
    level = decibels(sound, mels)[:length]
    filled = np.pad(level, ((0, length - len(level)), (0, 0)))
    return ((filled - filled.mean()) / (filled.std(ddof=1) + 1e-6) * 0.5).astype(np.float32)


def norms(preprocessing: dict[str, Any]) -> dict[str, float]:
    """Mean and deviation of the filter bank as `preprocessor_config.json` has them."""
    if not preprocessing.get("do_normalize", True):
        return {"mean": 0.0, "std": 0.5}
    return AUDIOSET | {key: float(value) for key, value in preprocessing.items() if key in AUDIOSET}


def pooled(tokens: Float[Array, "b n d"], config: Config) -> Float[Array, "b 1 d"]:
    """The mean of the class and the distillation token."""
    return tokens[:, :SPECIAL].mean(axis=1, keepdims=True)


def grid(tokens: Float[Array, "b n d"], config: Config) -> Float[Array, "b t f d"]:
    """The patches by time and band."""
    high, long = config.grid
    return tokens[:, SPECIAL:].reshape(len(tokens), high, long, -1).swapaxes(1, 2)


def by_time(tokens: Float[Array, "b n d"], config: Config) -> Float[Array, "b t d"]:
    """The patches' mean over bands."""
    return grid(tokens, config).mean(axis=2)


DECIBELS = "decibels"
VIEWS = {
    "pooled": (pooled, lambda c: (c.hidden_size,)),
    "time": (by_time, lambda c: (c.hidden_size,)),
    "grid": (grid, lambda c: (c.grid[0], c.hidden_size)),
    DECIBELS: (by_time, lambda c: (c.hidden_size,)),
}
"""Name ▶ (what of the tokens, its shape)."""


def hearing(options: Options, config: Config, view: str) -> Hearing:
    """Chunks of as many frames as the network has places for."""
    if view == DECIBELS:
        return _decibel_hearing(options, config)
    chunk = (config.max_length - 1) * HOP + WINDOW
    if view == "pooled":
        return one_of_chunk(options, SAMPLE_RATE_HZ, chunk, POOLED_HOP_S)
    stride, vectors = config.time_stride * HOP, config.grid[1]
    first = ((config.patch_size - 1) * HOP + WINDOW) // 2
    chunk_s, edge = vectors * stride / SAMPLE_RATE_HZ, chunk - vectors * stride
    return hearing_of(options, SAMPLE_RATE_HZ, stride, first, edge, chunk_s, TIME_HOP_S, vectors)


def decibel_vectors(config: Config) -> int:
    """Patches that lie in the sound whole."""
    seen = min(1 + DECIBEL_CHUNK // DECIBEL_HOP, config.max_length)
    return (seen - config.patch_size) // config.time_stride + 1


def _decibel_hearing(options: Options, config: Config) -> Hearing:
    """Ten seconds at a time."""
    stride, vectors = config.time_stride * DECIBEL_HOP, decibel_vectors(config)
    first = (config.patch_size - 1) * DECIBEL_HOP // 2
    edge, chunk_s = DECIBEL_CHUNK - vectors * stride, vectors * stride / SAMPLE_RATE_HZ
    return hearing_of(options, SAMPLE_RATE_HZ, stride, first, edge, chunk_s, TIME_HOP_S, vectors)


def build(checkpoint: Checkpoint, options: Options) -> Encoder:
    """The encoder of a checkpoint; `view` is `pooled`, `time`, `grid` or `decibels`."""
    options.refuse("ast", "region", "chunk_s")
    config = Config.from_json(checkpoint.config)
    dtype = compute_dtype(options.dtype)
    model = AST(config, dtype)
    mel_shape = (config.max_length, config.num_mel_bins)
    template = template_of(model.init, jnp.zeros((1, *mel_shape)))
    variables = in_compute_dtype(load_variables(template, checkpoint, SPELLING), dtype)
    view = options.view or "pooled"
    pick, shape = choose("ast", "view", view, VIEWS)
    heard = hearing(options, config, view)
    recipe, sizes = norms(checkpoint.preprocessing()), {"mels": config.num_mel_bins}
    preprocess = functools.partial(prepare, **sizes, mean=recipe["mean"], deviation=recipe["std"])
    if view == DECIBELS:
        recipe, preprocess = {}, functools.partial(prepare_decibels, **sizes, length=config.max_length)
    real = decibel_vectors(config) if view == DECIBELS else None  # the others have seen nothing but zeros

    def apply(variables, mel):
        tokens = model.apply(variables, mel).astype(jnp.float32)
        return last_of_chunk(pick(tokens, config)[:, :real], heard)

    return Encoder(
        name=checkpoint.name,
        modality="audio",
        shape=shape(config),
        preprocess=preprocess,
        apply=apply,
        variables=variables,
        identity={"kind": "ast", "revision": REVISION, "weights": checkpoint.sha256, "view": view} | recipe,
        input_shape=mel_shape,
        hearing=heard,
    )
