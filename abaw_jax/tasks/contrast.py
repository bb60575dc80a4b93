"""Images and what is said of them, drawn together; and muscles, told from the image alone.

Of each image there are several sentences; one is drawn at every step. Images of which the same is said are
each other's positives (rows of the target add up to one), as nothing tells them apart.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from abaw_jax.labels import ACTION_UNITS
from abaw_jax.tasks.fit import Sums, fit_sums, r_squared
from abaw_jax.tasks.task import NO_STATS, Loss, NoStats, Variables
from abaw_jax.types import Batch, Outputs

LARGEST_SCALE = 100.0
"""Of the cosines, as in CLIP (arXiv 2103.00020, section 2.5)."""
NORM_FLOOR = 1e-6


class ImageText(nn.Module):
    """Both towers, and a linear map from the image's vector to the muscles; only the towers are kept."""

    network: nn.Module
    prepare: Callable[[Array], Array]

    @nn.compact
    def __call__(self, images: Array, ids: Int[Array, "b t"]) -> dict[str, Array]:
        """`image` and `text` [b e], `logit_scale`, `au` [b 12]."""
        out = self.network.encode_image(self.prepare(images), has_patches=False)
        out = out | self.network.encode_text(ids) | {"logit_scale": self.network.logit_scale}
        return out | {"au": nn.Dense(len(ACTION_UNITS), name="au")(out["image"])}


@dataclasses.dataclass(frozen=True)
class ContrastTask:
    """Symmetric cross entropy over the batch, and a share of the squared error of the muscles."""

    model: ImageText
    au_share: float
    name: str = "contrast"
    stats: NoStats = NO_STATS

    score = "r2"

    def example(self) -> Batch:
        """One image and one sentence, for their shapes and types."""
        config = self.model.network.config
        size, length = config.vision.image_size, config.text.max_position_embeddings
        return {"image": np.zeros((1, size, size, 3), np.uint8), "text": np.zeros((1, 1, length), np.int32)}

    def init(self, rng: Array, batch: Batch) -> Variables:
        """Fresh variables."""
        return self.model.init(rng, batch["image"], batch["text"][:, 0])

    def loss(self, variables: Variables, batch: Batch, rng: Array) -> Loss:
        """(what is minimised, its parts, nothing that is kept)."""
        text = batch["text"]
        kind = jax.random.randint(rng, (len(text),), 0, text.shape[1])
        ids = jnp.take_along_axis(text, kind[:, None, None], axis=1)[:, 0]
        out = self.model.apply(variables, batch["image"], ids)
        scale = jnp.minimum(jnp.exp(out["logit_scale"]), LARGEST_SCALE)
        contrast = contrast_loss(out["image"], out["text"], is_same(ids), scale)
        error = jnp.square(out["au"] - batch["au"]).mean(axis=1)
        muscles = jnp.where(batch["au_mask"], error, 0).sum() / jnp.maximum(batch["au_mask"].sum(), 1)
        parts = {"loss/contrast": contrast, "loss/au": muscles, "scale": scale}
        return contrast + self.au_share * muscles, parts, None

    def predict(self, variables: Variables, batch: Batch) -> Outputs:
        """Sums over the real rows: how well muscles are told, and how often a sentence finds its image."""
        ids = batch["text"][:, 0]
        out = self.model.apply(variables, batch["image"], ids)
        cosines = unit(out["image"]) @ unit(out["text"]).T
        mine = jnp.diagonal(cosines)[:, None]
        is_other = batch["is_real"][None] & ~is_same(ids)
        hits = batch["is_real"] & (jnp.where(is_other, cosines, -2) < mine).all(axis=1)
        sums = fit_sums(out["au"], batch["au"], batch["au_mask"] & batch["is_real"])
        return sums | {"hits": hits.sum(), "images": batch["is_real"].sum()}

    def scores(self, sums: Sums) -> dict[str, Any]:
        """R² over all muscles and of each; the share of images that a batch's sentences find."""
        each = r_squared(sums)
        return {
            "r2": float(each.mean()),
            "found": float(sums["hits"] / sums["images"]),
            "units": dict(zip(ACTION_UNITS, each.tolist(), strict=True)),
        }


def is_same(ids: Int[Array, "b t"]) -> Bool[Array, "b b"]:
    """Which sentences are which."""
    return (ids[:, None, :] == ids[None, :, :]).all(axis=-1)


def contrast_loss(
    image: Float[Array, "b e"], text: Float[Array, "b e"], same: Bool[Array, "b b"], scale: Float[Array, ""]
) -> Float[Array, ""]:
    """Mean cross entropy of finding each image's sentences, and each sentence's images."""
    logits = scale * (unit(image) @ unit(text).T)
    target = same / same.sum(axis=1, keepdims=True)
    by_row, by_column = (
        -(target * jax.nn.log_softmax(turned, axis=1)).sum(axis=1).mean() for turned in (logits, logits.T)
    )
    return 0.5 * (by_row + by_column)


def unit(x: Float[Array, "b e"]) -> Float[Array, "b e"]:
    """Of length 1, in float32: a hundred times a cosine is more than bfloat16 can tell apart."""
    x = x.astype(jnp.float32)
    return x / jnp.sqrt(jnp.square(x).sum(axis=-1, keepdims=True) + NORM_FLOOR)
