"""CLIP as an encoder of faces (`image`, `pooled`, `grid`, `grid7`) and of prompts (`text`)."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from abaw_jax.encoders import pixels
from abaw_jax.encoders.encoder import Encoder, Options, choose, compute_dtype, in_compute_dtype
from abaw_jax.encoders.files import Checkpoint, UnusableWeights
from abaw_jax.encoders.naming import Spelling, load_variables, template_of
from abaw_jax.encoders.pixels import Pixels
from abaw_jax.nn.backbones.clip import CLIP, LEGACY_EOS, Config, Tower

REVISION = 1
"""Bumped by hand when the same weights and settings would give other features."""
SPELLING = Spelling()
GRID = 7
"""Side of the pooled patch grid."""


def _grid(config: Config) -> int:
    return config.vision.image_size // config.vision.patch_size


def patch_map(patches: Float[Array, "b t d"], side: int) -> Float[Array, "b p q d"]:
    """Patches as the square that they were cut from."""
    return patches.reshape(len(patches), side, side, -1)


def pool_map(grid: Float[Array, "b p q d"], side: int) -> Float[Array, "b {side} {side} d"]:
    """Mean over windows as even as they come, like torch's adaptive pooling: 14 ▶ 7, 16 ▶ 7."""
    weights = jnp.asarray(adaptive_weights(grid.shape[1], side), grid.dtype)
    return jnp.einsum("ip,bpqd,jq->bijd", weights, grid, weights)


def adaptive_weights(cells: int, wanted: int) -> Float[np.ndarray, "w c"]:
    """Row i is the mean over cells floor(i c / w) to ceil((i + 1) c / w)."""
    weights = np.zeros((wanted, cells))
    for i in range(wanted):
        first, last = i * cells // wanted, -(-(i + 1) * cells // wanted)
        weights[i, first:last] = 1 / (last - first)
    return weights


VIEWS = {
    "image": (lambda out, side: out["image"], lambda c: (c.projection_dim,)),
    "pooled": (lambda out, side: out["pooled"], lambda c: (c.vision.hidden_size,)),
    "grid": (
        lambda out, side: patch_map(out["patches"], side),
        lambda c: (_grid(c),) * 2 + (c.vision.hidden_size,),
    ),
    "grid7": (
        lambda out, side: pool_map(patch_map(out["patches"], side), GRID),
        lambda c: (GRID, GRID, c.vision.hidden_size),
    ),
}
"""Name ▶ (what of the network's output, its shape)."""
PATCH_VIEWS = ("grid", "grid7")


def build(checkpoint: Checkpoint, options: Options) -> Encoder:
    """The encoder of a checkpoint; `view="text"` is the tower of prompts."""
    options.refuse("clip", "chunk_s", "hop_s", "is_causal")
    config = Config.from_json(checkpoint.config)
    dtype = compute_dtype(options.dtype)
    model = CLIP(config, dtype)
    image = jnp.zeros((1, config.vision.image_size, config.vision.image_size, 3))
    template = template_of(model.init, image, jnp.zeros((1, config.text.max_position_embeddings), jnp.int32))
    variables = in_compute_dtype(load_variables(template, checkpoint, SPELLING), dtype)
    identity = {"kind": "clip", "revision": REVISION, "weights": checkpoint.sha256}
    if options.view == "text":
        return _text(checkpoint, config, model, variables, identity)
    view = options.view or "image"
    pick, shape = choose("clip", "view", view, VIEWS | {"text": None})
    size = config.vision.image_size
    default = Pixels(size, (size, size), *pixels.CLIP, region=options.region)
    recipe = pixels.from_config(checkpoint.preprocessing(), default)

    has_patches = view in PATCH_VIEWS

    def apply(variables, images):
        x = recipe.normalise(images, dtype)
        out = model.apply(variables, x, has_patches, method="encode_image")
        return pick(out, _grid(config)).astype(jnp.float32)

    return Encoder(
        name=checkpoint.name,
        modality="face",
        shape=shape(config),
        preprocess=recipe.prepare,
        apply=apply,
        variables=variables,
        identity=identity | {"view": view, "pixels": recipe.identity()},
        input_shape=(*recipe.size, 3),
        input_dtype="uint8",
    )


def _text(checkpoint: Checkpoint, config: Config, model: CLIP, variables, identity: dict) -> Encoder:
    def apply(variables, ids):
        return model.apply(variables, ids, method="encode_text")["text"].astype(jnp.float32)

    length = config.text.max_position_embeddings
    return Encoder(
        name=checkpoint.name,
        modality="text",
        shape=(config.projection_dim,),
        preprocess=lambda text: token_ids(checkpoint, config.text, [text])[0],
        apply=apply,
        variables=variables,
        identity=identity | {"view": "text", "length": length},
        input_shape=(length,),
        input_dtype="int32",
    )


def token_ids(checkpoint: Checkpoint, tower: Tower, texts: Sequence[str]) -> Int[np.ndarray, "n t"]:
    """Of prompts, padded to the tower's length: nothing sees what follows the end of a text."""
    from transformers import CLIPTokenizerFast

    length = tower.max_position_embeddings
    tokenizer = CLIPTokenizerFast.from_pretrained(checkpoint.folder)
    found = tokenizer(list(texts), padding="max_length", max_length=length)["input_ids"]
    for text, ids in zip(texts, found, strict=True):
        if len(ids) > length:
            raise ValueError(f"{text[:40]!r}…: found {len(ids)} tokens, expected {length} or fewer")
        if tower.eos_token_id not in (LEGACY_EOS, *ids):
            raise UnusableWeights(
                f"{checkpoint.folder}: the tokenizer ends texts with {ids[-1]}, "
                f"expected {tower.eos_token_id} as config.json has it"
            )
    return np.array(found, np.int32)
