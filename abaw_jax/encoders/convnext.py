"""ConvNeXt and its V2 as encoders of faces: `pooled` and `grid`, the last stage's map."""

from functools import partial
from operator import itemgetter

from abaw_jax.encoders import pixels
from abaw_jax.encoders.encoder import Encoder, Options
from abaw_jax.encoders.files import Checkpoint
from abaw_jax.encoders.naming import Spelling
from abaw_jax.encoders.pixels import Pixels
from abaw_jax.encoders.seeing import Sight, face_encoder
from abaw_jax.nn.backbones.convnext import Config, ConvNeXt

REVISION = 1
"""Bumped by hand when the same weights and settings would give other features."""
SPELLING = Spelling(prefixes=("convnext.", "convnextv2.", ""), ignored=(r"classifier\..*",))
VIEWS = {"pooled": itemgetter("pooled"), "grid": itemgetter("grid")}


def build(checkpoint: Checkpoint, options: Options) -> Encoder:
    """The encoder of a checkpoint."""
    config = Config.from_json(checkpoint.config)
    sight = Sight(
        kind="convnext",
        revision=REVISION,
        spelling=SPELLING,
        network=partial(ConvNeXt, config),
        views=VIEWS,
        default=Pixels(*pixels.by_share(config.image_size), *pixels.IMAGENET),
        is_any_size=True,
    )
    return face_encoder(sight, checkpoint, options)
