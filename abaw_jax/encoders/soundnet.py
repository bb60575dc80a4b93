"""SoundNet as an encoder of sounds: what ten seconds of raw sound would look like to an image classifier."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from abaw_jax.encoders.encoder import Encoder, Options, choose, compute_dtype, in_compute_dtype
from abaw_jax.encoders.files import Checkpoint, UnusableWeights
from abaw_jax.encoders.listening import last_of_chunk, one_of_chunk
from abaw_jax.encoders.naming import Spelling, load_variables, template_of
from abaw_jax.nn.backbones.soundnet import LAYERS, Config, SoundNet, steps

REVISION = 1
SPELLING = Spelling()
SAMPLE_RATE_HZ = 22_050
FULL_SCALE = 256.0  # of the original; a public Keras port has 255
CHUNK_S = 10.0  # the shortest that leaves the heads one step, near enough
HOP_S = 1.0  # default, not from the paper
VIEWS = {
    "objects": lambda c: (c.objects,),
    "scenes": lambda c: (c.scenes,),
    "conv7": lambda c: (c.widths[-1],),
}
"""Name ▶ its shape; each is the mean over a chunk's time steps, of ten seconds one for the heads."""


def prepare(sound: Float[np.ndarray, " s"]) -> Float[np.ndarray, " s"]:
    """Sound in [-1, 1] at the scale that the weights were trained on."""
    return np.asarray(sound, np.float32) * np.float32(FULL_SCALE)


def from_torch(state: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(config, tensors) of the public PyTorch port's state.

    Its names are `conv1` and `batchnorm1` to 7, `conv8_objs`, `conv8_scns`; kernels [out in taps 1] or
    [out in taps].
    """
    convolutions = [*(f"conv{n}" for n in range(1, len(LAYERS) + 1)), "conv8_objs", "conv8_scns"]
    norms = [f"batchnorm{n}" for n in range(1, len(LAYERS) + 1)]
    wanted = [f"{c}.{leaf}" for c in convolutions for leaf in ("weight", "bias")]
    wanted += [f"{n}.{leaf}" for n in norms for leaf in ("weight", "bias", "running_mean", "running_var")]
    missing = [key for key in wanted if key not in state]
    if missing:
        raise UnusableWeights(
            f"not SoundNet: found no {missing[0]}, expected {', '.join(convolutions + norms)}"
        )
    tensors = {key: np.asarray(state[key], np.float32) for key in wanted}
    tensors = {key: value[..., 0] if value.ndim == 4 else value for key, value in tensors.items()}
    config = {
        "model_type": "soundnet",
        "widths": [len(tensors[f"{name}.bias"]) for name in convolutions[:-2]],
        "objects": len(tensors["conv8_objs.bias"]),
        "scenes": len(tensors["conv8_scns.bias"]),
    }
    return config, tensors


def build(checkpoint: Checkpoint, options: Options) -> Encoder:
    """The encoder of a checkpoint; `view` is `objects`, `scenes` or `conv7`."""
    options.refuse("soundnet", "region")
    config = Config.from_json(checkpoint.config)
    dtype = compute_dtype(options.dtype)
    view = options.view or "objects"
    shape = choose("soundnet", "view", view, VIEWS)
    chunk = round((options.chunk_s or CHUNK_S) * SAMPLE_RATE_HZ)
    if steps(chunk) < 1:
        raise ValueError(
            f"chunk_s={options.chunk_s}: too short for the last layer; expected {CHUNK_S:g} or more"
        )
    model = SoundNet(config, dtype)
    template = template_of(model.init, jnp.zeros((1, chunk)))
    variables = in_compute_dtype(load_variables(template, checkpoint, SPELLING), dtype)
    hearing = one_of_chunk(options, SAMPLE_RATE_HZ, chunk, HOP_S)

    def apply(variables, sound):
        found = model.apply(variables, sound)[view].astype(jnp.float32)
        return last_of_chunk(found.mean(axis=1, keepdims=True), hearing)

    return Encoder(
        name=checkpoint.name,
        modality="audio",
        shape=shape(config),
        preprocess=prepare,
        apply=apply,
        variables=variables,
        identity={"kind": "soundnet", "revision": REVISION, "weights": checkpoint.sha256, "view": view},
        input_shape=(chunk,),
        hearing=hearing,
    )
