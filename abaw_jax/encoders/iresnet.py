"""ArcFace's IR-50 as an encoder of aligned faces: `embedding` and `grid`, the last map."""

import re
from collections.abc import Mapping
from functools import partial
from operator import itemgetter
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from abaw_jax.encoders import pixels
from abaw_jax.encoders.encoder import Encoder, Options
from abaw_jax.encoders.files import Checkpoint, UnusableWeights
from abaw_jax.encoders.naming import Spelling, file_key, template_of
from abaw_jax.encoders.pixels import Pixels
from abaw_jax.encoders.seeing import Sight, face_encoder
from abaw_jax.nn.backbones.iresnet import Config, IResNet

REVISION = 1
"""Bumped by hand when the same weights and settings would give other features."""
SPELLING = Spelling()
VIEWS = {"embedding": itemgetter("embedding"), "grid": itemgetter("grid")}
SMALL_SIDE, SMALL_RESIZED = 5, 48
"""A last map of 5 × 5 is taken for one of 40 pixels, cut from the centre of 48: the network of system B."""


def build(checkpoint: Checkpoint, options: Options) -> Encoder:
    """The encoder of a checkpoint; `resize_size` of its config.json is what the image is cut from."""
    config = Config.from_json(checkpoint.config)
    size = (config.image_size, config.image_size)
    sight = Sight(
        kind="iresnet",
        revision=REVISION,
        spelling=SPELLING,
        network=partial(IResNet, config),
        views=VIEWS,
        default=Pixels(checkpoint.config.get("resize_size"), size, *pixels.HALVES, pixels.BILINEAR),
    )
    return face_encoder(sight, checkpoint, options)


def from_torch(state: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """config.json and tensors from the state of the public PyTorch ports' `Backbone(50, "ir")`.

    The names stay; what the network is shows in the shapes.
    """
    tensors = {key.removeprefix("module."): value for key, value in state.items()}
    tensors = {
        k: np.ascontiguousarray(v) for k, v in tensors.items() if not k.endswith("num_batches_tracked")
    }
    config = _config_from(tensors)
    module = IResNet(Config.from_json(config))
    image = jnp.zeros((1, config["image_size"], config["image_size"], 3))
    wanted = {file_key(path) for path in flatten_dict(template_of(module.init, image))}
    for what, keys in (("lacks", wanted - tensors.keys()), ("has unknown", tensors.keys() - wanted)):
        if keys:
            raise UnusableWeights(f"no IR network of ArcFace: it {what} {', '.join(sorted(keys)[:5])}")
    return config, tensors


def _config_from(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    units = sorted(int(n) for key in tensors for n in re.findall(r"^body\.(\d+)\.res_layer\.1\.weight$", key))
    needed = ("input_layer.0.weight", "output_layer.0.weight", "output_layer.3.weight")
    missing = [key for key in needed if key not in tensors] + ([] if units else ["body.0.res_layer.1.weight"])
    if missing:
        raise UnusableWeights(f"no IR network of ArcFace: it lacks {', '.join(missing)}")
    widths = [len(tensors[f"body.{n}.res_layer.1.weight"]) for n in units]
    stages = sorted(set(widths), key=widths.index)
    embedding_size, flat = tensors["output_layer.3.weight"].shape
    side = round((flat / len(tensors["output_layer.0.weight"])) ** 0.5)
    first_stride = 1 if side == SMALL_SIDE else 2
    config = {
        "model_type": "iresnet",
        "layers": [widths.count(width) for width in stages],
        "widths": stages,
        "stem": len(tensors["input_layer.0.weight"]),
        "image_size": side * first_stride * 2 ** (len(stages) - 1),
        "first_stride": first_stride,
        "embedding_size": embedding_size,
    }
    return config | ({"resize_size": SMALL_RESIZED} if side == SMALL_SIDE else {})
