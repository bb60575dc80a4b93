"""An encoder before it has learnt anything: the network that a folder's config.json describes."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import flax.linen as nn

from abaw_jax.encoders import pixels
from abaw_jax.encoders.encoder import choose
from abaw_jax.encoders.load import open_named
from abaw_jax.nn.backbones.clip import CLIP
from abaw_jax.nn.backbones.clip import Config as ClipConfig
from abaw_jax.nn.backbones.whisper import Config as WhisperConfig
from abaw_jax.nn.backbones.whisper import WhisperEncoder
from abaw_jax.types import Array, DType


@dataclasses.dataclass(frozen=True)
class Blank:
    """A network to train, and what its inputs go through first."""

    kind: str
    """As `model_type` has it."""
    network: nn.Module
    prepare: Callable[[Array], Array]


def open_blank(source: str | Path, dtype: DType) -> Blank:
    """By a folder's config.json; weights need not be there yet."""
    checkpoint = open_named(source)
    kind = checkpoint.config.get("model_type")
    if choose("training", "model_type", kind, {"clip": True, "whisper": False}):
        config = ClipConfig.from_json(checkpoint.config)
        size = config.vision.image_size
        default = pixels.Pixels(size, (size, size), *pixels.CLIP)
        recipe = pixels.from_config(checkpoint.preprocessing(), default)
        return Blank(kind, CLIP(config, dtype), lambda images: recipe.normalise(images, dtype))
    config = WhisperConfig.from_json(checkpoint.config)
    return Blank(kind, WhisperEncoder(config, dtype), lambda mel: mel.astype(dtype))
