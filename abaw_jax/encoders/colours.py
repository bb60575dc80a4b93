"""Mean colours of a face as features without weights: 8 by 8 tiles, each with its red, green and blue."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from abaw_jax.encoders.encoder import Encoder, Options, Variables
from abaw_jax.encoders.pixels import BILINEAR, Pixels
from abaw_jax.types import Array

REVISION = 1
TILES = 8
SIDE = 64  # every crop is brought to it, so that tiles are eight pixels
RECIPE = Pixels(None, (SIDE, SIDE), (0.0,) * 3, (1.0,) * 3, BILINEAR)


def tiles(image: UInt8[np.ndarray, "h w 3"], recipe: Pixels) -> Float[np.ndarray, " d"]:
    """From 0 to 1, row by row."""
    small = recipe.prepare(image).reshape(TILES, SIDE // TILES, TILES, SIDE // TILES, 3)
    return (small.mean(axis=(1, 3)) / 255).astype(np.float32).reshape(-1)


def as_prepared(variables: Variables, x: Array) -> Float[jax.Array, "b d"]:
    """Nothing is left to do on the device."""
    return jnp.asarray(x)


def build(options: Options) -> Encoder:
    """The encoder; it has one view of every region."""
    options.refuse("colours", "view", "dtype", "chunk_s", "hop_s", "is_causal")
    recipe = dataclasses.replace(RECIPE, region=options.region)
    width = TILES * TILES * 3
    return Encoder(
        name="colours",
        modality="face",
        shape=(width,),
        preprocess=lambda image: tiles(image, recipe),
        apply=as_prepared,
        variables={},
        identity={"kind": "colours", "revision": REVISION, "pixels": recipe.identity()},
        input_shape=(width,),
    )
