"""Whisper's encoder as an encoder of voices: hidden states at 50 Hz from chunks of thirty seconds."""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from abaw_jax.encoders.encoder import Encoder, Options, compute_dtype, in_compute_dtype
from abaw_jax.encoders.files import Checkpoint
from abaw_jax.encoders.listening import chosen_layers, hearing_of, last_of_chunk
from abaw_jax.encoders.mel import frames, hann, mel_filters, power
from abaw_jax.encoders.naming import Spelling, load_variables, template_of
from abaw_jax.nn.backbones.whisper import Config, WhisperEncoder

REVISION = 1
SPELLING = Spelling(
    prefixes=("model.encoder.", "encoder."), ignored=(r"(model\.)?decoder\..*", r"proj_out\.weight")
)
SAMPLE_RATE_HZ = 16_000
FFT = 400  # 25 ms
HOP = 160  # 10 ms
STRIDE = 2 * HOP  # the second convolution halves the rate
CHUNK_S = 30.0
HOP_SHARE = 2 / 3  # of a chunk; default, not from the paper: five of thirty seconds of context on either side


@functools.cache
def _filters(mels: int) -> Float[np.ndarray, "m f"]:
    return mel_filters(SAMPLE_RATE_HZ, FFT, mels, 0.0, 8000.0, "slaney", is_area_one=True)


def log_mel(sound: Float[np.ndarray, " s"], mels: int) -> Float[np.ndarray, "t {mels}"]:
    """Whisper's log-mel: the loudest bin sets the floor eight decades below, then (x + 4) / 4."""
    padded = np.pad(np.asarray(sound, np.float64), FFT // 2, mode="reflect")
    spectrum = power(frames(padded, FFT, HOP)[:-1], hann(FFT), FFT)
    levels = np.log10(np.maximum(spectrum @ _filters(mels).T, 1e-10))
    return ((np.maximum(levels, levels.max() - 8.0) + 4.0) / 4.0).astype(np.float32)


def build(checkpoint: Checkpoint, options: Options) -> Encoder:
    """The encoder of a checkpoint; `view` names layers: `last`, `3`, `mean:5,6`, `mean:last4`."""
    options.refuse("whisper", "region")
    config = Config.from_json(checkpoint.config)
    dtype = compute_dtype(options.dtype)
    model = WhisperEncoder(config, dtype)
    chunk_s = min(CHUNK_S, config.max_source_positions * STRIDE / SAMPLE_RATE_HZ)
    hearing = hearing_of(
        options, SAMPLE_RATE_HZ, STRIDE, first=0, edge=0, chunk_s=chunk_s, hop_s=HOP_SHARE * chunk_s,
        most_vectors=config.max_source_positions,
    )  # fmt: skip
    mel_shape = (hearing.chunk // HOP, config.num_mel_bins)
    template = template_of(model.init, jnp.zeros((1, *mel_shape)))
    variables = in_compute_dtype(load_variables(template, checkpoint, SPELLING), dtype)
    view, pick = chosen_layers("whisper", options.view, config.encoder_layers)

    def apply(variables, mel):
        return last_of_chunk(pick(model.apply(variables, mel)).astype(jnp.float32), hearing)

    return Encoder(
        name=checkpoint.name,
        modality="audio",
        shape=(config.d_model,),
        preprocess=functools.partial(log_mel, mels=config.num_mel_bins),
        apply=apply,
        variables=variables,
        identity={"kind": "whisper", "revision": REVISION, "weights": checkpoint.sha256, "view": view},
        input_shape=mel_shape,
        hearing=hearing,
    )
