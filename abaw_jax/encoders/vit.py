"""A vision transformer as an encoder of faces: `pooler`, `cls`, `mean` and `grid`."""

from functools import partial

from abaw_jax.encoders import pixels
from abaw_jax.encoders.encoder import Encoder, Options
from abaw_jax.encoders.files import Checkpoint
from abaw_jax.encoders.naming import Spelling
from abaw_jax.encoders.pixels import Pixels
from abaw_jax.encoders.seeing import Pick, Sight, face_encoder
from abaw_jax.nn.backbones.vit import Config, ViT

REVISION = 1
"""Bumped by hand when the same weights and settings would give other features."""
SPELLING = Spelling(
    prefixes=("vit.", ""), ignored=(r"classifier\..*", r"decoder\..*", r"(vit\.)?embeddings\.mask_token")
)


def config_of(checkpoint: Checkpoint) -> Config:
    """Classifiers and masked autoencoders are saved without a pooler, which config.json does not say."""
    has_pooler = any("pooler.dense." in key for key in checkpoint.tensors())
    return Config.from_json(checkpoint.config, has_pooler)


def views_of(config: Config) -> dict[str, Pick]:
    """The pooler's output where there is a pooler; then what the tokens are seen as."""
    pooler: dict[str, Pick] = {"pooler": lambda out: out["pooler"]} if config.has_pooler else {}
    return pooler | {
        "cls": lambda out: out["tokens"][:, 0],
        "mean": lambda out: out["tokens"][:, 1:].mean(1),
        "grid": lambda out: out["tokens"][:, 1:].reshape(-1, config.side, config.side, config.hidden_size),
    }


def build(checkpoint: Checkpoint, options: Options) -> Encoder:
    """The encoder of a checkpoint; without a pooler in it the class token is the default view."""
    config = config_of(checkpoint)
    size = (config.image_size, config.image_size)
    sight = Sight(
        kind="vit",
        revision=REVISION,
        spelling=SPELLING,
        network=partial(ViT, config),
        views=views_of(config),
        default=Pixels(None, size, *pixels.HALVES, pixels.BILINEAR),
    )
    return face_encoder(sight, checkpoint, options)
