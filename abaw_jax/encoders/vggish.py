"""VGGish as an encoder of sounds: 128 numbers for every 0.96 seconds."""

import functools
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from abaw_jax.encoders.encoder import Encoder, Options, choose, compute_dtype, in_compute_dtype
from abaw_jax.encoders.files import Checkpoint, UnusableWeights
from abaw_jax.encoders.listening import last_of_chunk, one_of_chunk
from abaw_jax.encoders.mel import frames, hann, mel_triangles, power
from abaw_jax.encoders.naming import Spelling, load_variables, template_of
from abaw_jax.nn.backbones.vggish import CONVOLUTIONS, FRAMES, MELS, Config, VGGish

REVISION = 1
SPELLING = Spelling()
SAMPLE_RATE_HZ = 16_000
WINDOW = 400  # 25 ms
HOP = 160  # 10 ms
FFT = 512
LOW_HZ, HIGH_HZ = 125.0, 7500.0
LOG_OFFSET = 0.01
CHUNK = (FRAMES - 1) * HOP + WINDOW  # 15,600 samples: 0.96 s and what the last window has beyond its hop
HOP_S = 0.96
PCA_NAMES = {
    "pca_eigen_vectors": ("pproc.pca_eigen_vectors", "pproc.pca_matrix", "pca_eigen_vectors", "pca_matrix"),
    "pca_means": ("pproc.pca_means", "pca_means"),
}
"""Ours ▶ what versions of the public port call them, alone or in one file with the network."""


@functools.cache
def _filters() -> Float[np.ndarray, "m f"]:
    return mel_triangles(SAMPLE_RATE_HZ, FFT, MELS, LOW_HZ, HIGH_HZ)


def log_mel(sound: Float[np.ndarray, " s"]) -> Float[np.ndarray, "t 64"]:
    """VGGish's own: mel bands of the magnitude, not of the power, and a small offset before the logarithm."""
    magnitude = np.sqrt(power(frames(np.asarray(sound, np.float64), WINDOW, HOP), hann(WINDOW), FFT))
    return np.log(magnitude @ _filters().T + LOG_OFFSET).astype(np.float32)


def from_torch(state: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(config, tensors) of the public PyTorch port's state, with its PCA where that is there too."""
    layers = [f"features.{n}" for n in CONVOLUTIONS] + [f"embeddings.{n}" for n in (0, 2, 4)]
    wanted = [f"{layer}.{leaf}" for layer in layers for leaf in ("weight", "bias")]
    missing = [key for key in wanted if key not in state]
    if missing:
        raise UnusableWeights(f"not VGGish: found no {missing[0]}, expected {', '.join(layers)}")
    tensors = {key: np.asarray(state[key], np.float32) for key in wanted}
    pca = {ours: next((n for n in names if n in state), None) for ours, names in PCA_NAMES.items()}
    if None not in pca.values():
        tensors["pproc.pca_eigen_vectors"] = np.asarray(state[pca["pca_eigen_vectors"]], np.float32)
        tensors["pproc.pca_means"] = np.asarray(state[pca["pca_means"]], np.float32).reshape(-1)
    config = {
        "model_type": "vggish",
        "channels": [len(tensors[f"features.{n}.bias"]) for n in CONVOLUTIONS],
        "hidden_size": len(tensors["embeddings.0.bias"]),
        "embedding_size": len(tensors["embeddings.4.bias"]),
        "has_pca": None not in pca.values(),
    }
    return config, tensors


def build(checkpoint: Checkpoint, options: Options) -> Encoder:
    """The encoder of a checkpoint; `view` is `embedding`, or `pca` where the file has one."""
    options.refuse("vggish", "region", "chunk_s")
    config = Config.from_json(checkpoint.config)
    dtype = compute_dtype(options.dtype)
    views = ("embedding", "pca") if config.has_pca else ("embedding",)
    view = choose("vggish", "view", options.view or "embedding", dict(zip(views, views, strict=True)))
    model = VGGish(config, dtype)
    template = template_of(model.init, jnp.zeros((1, FRAMES, MELS)))
    variables = in_compute_dtype(load_variables(template, checkpoint, SPELLING), dtype)
    hearing = one_of_chunk(options, SAMPLE_RATE_HZ, CHUNK, HOP_S)

    def apply(variables, mel):
        return last_of_chunk(model.apply(variables, mel)[view][:, None], hearing)

    return Encoder(
        name=checkpoint.name,
        modality="audio",
        shape=(config.embedding_size,),
        preprocess=log_mel,
        apply=apply,
        variables=variables,
        identity={"kind": "vggish", "revision": REVISION, "weights": checkpoint.sha256, "view": view},
        input_shape=(FRAMES, MELS),
        hearing=hearing,
    )
