"""What the encoders of faces share: from a network that returns its views by name to an Encoder."""

import dataclasses
from collections.abc import Callable, Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from abaw_jax.encoders.encoder import Encoder, Options, choose, compute_dtype, in_compute_dtype
from abaw_jax.encoders.files import PREPROCESSOR, Checkpoint, UnusableWeights
from abaw_jax.encoders.naming import Spelling, load_variables, template_of
from abaw_jax.encoders.pixels import Pixels, from_config
from abaw_jax.types import DType

Pick = Callable[[Mapping[str, Array]], Array]


@dataclasses.dataclass(frozen=True)
class Sight:
    """One kind of network, as its checkpoint describes it."""

    kind: str
    revision: int
    spelling: Spelling
    network: Callable[[DType], nn.Module]
    views: Mapping[str, Pick]
    """Name ▶ what of the network's output; the first is the default."""
    default: Pixels
    """Where the folder has no `preprocessor_config.json`, or it leaves something out."""
    is_any_size: bool = False
    """Whether images of another size than the network's own can go in."""


def face_encoder(sight: Sight, checkpoint: Checkpoint, options: Options) -> Encoder:
    """The encoder of a checkpoint."""
    options.refuse(sight.kind, "chunk_s", "hop_s", "is_causal")
    view = options.view or next(iter(sight.views))
    pick = choose(sight.kind, "view", view, sight.views)
    dtype = compute_dtype(options.dtype)
    recipe = _recipe(sight, checkpoint, options.region)
    model, image = sight.network(dtype), jnp.zeros((1, *recipe.size, 3))
    template = template_of(model.init, image)

    def apply(variables, images):
        return pick(model.apply(variables, recipe.normalise(images, dtype))).astype(jnp.float32)

    return Encoder(
        name=checkpoint.name,
        modality="face",
        shape=jax.eval_shape(lambda v: pick(model.apply(v, image)), template).shape[1:],
        preprocess=recipe.prepare,
        apply=apply,
        variables=in_compute_dtype(load_variables(template, checkpoint, sight.spelling), dtype),
        identity={"kind": sight.kind, "revision": sight.revision, "weights": checkpoint.sha256,
                  "view": view, "pixels": recipe.identity()},
        input_shape=(*recipe.size, 3),
        input_dtype="uint8",
    )  # fmt: skip


def _recipe(sight: Sight, checkpoint: Checkpoint, region: str) -> Pixels:
    default = dataclasses.replace(sight.default, region=region)
    recipe = from_config(checkpoint.preprocessing(), default)
    if recipe.size != default.size and not sight.is_any_size:
        raise UnusableWeights(
            f"{checkpoint.folder / PREPROCESSOR}: found a size of {recipe.size}, "
            f"expected {default.size} as config.json has it"
        )
    return recipe
