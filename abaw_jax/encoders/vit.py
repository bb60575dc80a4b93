"""A vision transformer as an encoder of faces: `pooler`, `cls`, `mean` and `grid`."""

import jax.numpy as jnp

from abaw_jax.encoders import pixels
from abaw_jax.encoders.encoder import Encoder, Options, choose, compute_dtype, in_compute_dtype
from abaw_jax.encoders.files import Checkpoint
from abaw_jax.encoders.naming import Spelling, load_variables, template_of
from abaw_jax.encoders.pixels import Pixels
from abaw_jax.nn.backbones.vit import Config, ViT

REVISION = 1
"""Bumped by hand when the same weights and settings would give other features."""
SPELLING = Spelling(
    prefixes=("vit.", ""), ignored=(r"classifier\..*", r"decoder\..*", r"(vit\.)?embeddings\.mask_token")
)
VIEWS = {
    "pooler": (lambda out, side: out["pooler"], lambda c: (c.pooler_output_size or c.hidden_size,)),
    "cls": (lambda out, side: out["tokens"][:, 0], lambda c: (c.hidden_size,)),
    "mean": (lambda out, side: out["tokens"][:, 1:].mean(1), lambda c: (c.hidden_size,)),
    "grid": (
        lambda out, side: out["tokens"][:, 1:].reshape(len(out["tokens"]), side, side, -1),
        lambda c: (c.side, c.side, c.hidden_size),
    ),
}
"""Name ▶ (what of the network's output, its shape)."""


def config_of(checkpoint: Checkpoint) -> Config:
    """Classifiers and masked autoencoders are saved without a pooler, which config.json does not say."""
    has_pooler = any("pooler.dense." in key for key in checkpoint.tensors())
    return Config.from_json(checkpoint.config, has_pooler)


def build(checkpoint: Checkpoint, options: Options) -> Encoder:
    """The encoder of a checkpoint; without a pooler in it the class token is the default view."""
    options.refuse("vit", "chunk_s", "hop_s", "is_causal")
    config, dtype = config_of(checkpoint), compute_dtype(options.dtype)
    there = VIEWS if config.has_pooler else {name: VIEWS[name] for name in VIEWS if name != "pooler"}
    view = options.view or next(iter(there))
    pick, shape = choose("vit", "view", view, there)
    model, size = ViT(config, dtype), config.image_size
    template = template_of(model.init, jnp.zeros((1, size, size, 3)))
    default = Pixels(None, (size, size), *pixels.HALVES, pixels.BILINEAR, region=options.region)
    recipe = pixels.from_config(checkpoint.preprocessing(), default)

    def apply(variables, images):
        return pick(model.apply(variables, recipe.normalise(images, dtype)), config.side).astype(jnp.float32)

    return Encoder(
        name=checkpoint.name,
        modality="face",
        shape=shape(config),
        preprocess=recipe.prepare,
        apply=apply,
        variables=in_compute_dtype(load_variables(template, checkpoint, SPELLING), dtype),
        identity={"kind": "vit", "revision": REVISION, "weights": checkpoint.sha256,
                  "view": view, "pixels": recipe.identity()},
        input_shape=(*recipe.size, 3),
        input_dtype="uint8",
    )  # fmt: skip
