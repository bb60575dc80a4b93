"""ResNet as an encoder of faces: `pooled` and `grid`, the last stage's map."""

from functools import partial
from operator import itemgetter

from abaw_jax.encoders import pixels
from abaw_jax.encoders.encoder import Encoder, Options
from abaw_jax.encoders.files import Checkpoint
from abaw_jax.encoders.naming import Spelling
from abaw_jax.encoders.pixels import Pixels
from abaw_jax.encoders.seeing import Sight, face_encoder
from abaw_jax.nn.backbones.resnet import Config, ResNet

REVISION = 1
"""Bumped by hand when the same weights and settings would give other features."""
SPELLING = Spelling(prefixes=("resnet.", ""), ignored=(r"classifier\..*",))
VIEWS = {"pooled": itemgetter("pooled"), "grid": itemgetter("grid")}
IMAGE_SIZE = 224
"""Its config.json names none; a preprocessor_config.json may name another."""


def build(checkpoint: Checkpoint, options: Options) -> Encoder:
    """The encoder of a checkpoint."""
    sight = Sight(
        kind="resnet",
        revision=REVISION,
        spelling=SPELLING,
        network=partial(ResNet, Config.from_json(checkpoint.config)),
        views=VIEWS,
        default=Pixels(*pixels.by_share(IMAGE_SIZE), *pixels.IMAGENET),
        is_any_size=True,
    )
    return face_encoder(sight, checkpoint, options)
