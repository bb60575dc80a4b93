"""Vision transformer (Dosovitskiy et al. 2020, arXiv 2010.11929)."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.nn.activations import activation
from abaw_jax.nn.backbones.vit_layers import Dense, Layers
from abaw_jax.nn.patches import PatchEmbedding
from abaw_jax.types import DType


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes; field names and defaults as in config.json. The pooler is no field there: the weights tell."""

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    image_size: int = 224
    patch_size: int = 16
    qkv_bias: bool = True
    pooler_output_size: int | None = None
    pooler_act: str = "tanh"
    has_pooler: bool = True

    @classmethod
    def from_json(cls, config: dict[str, Any], has_pooler: bool = True) -> "Config":
        """From a `config.json`."""
        names = {field.name for field in dataclasses.fields(cls)}
        known = {key: value for key, value in config.items() if key in names}
        return cls(**known | {"has_pooler": has_pooler})

    @property
    def side(self) -> int:
        """Patches along one edge."""
        return self.image_size // self.patch_size


class PatchEmbeddings(nn.Module):
    """Patches as one row, their map one level down as in the file."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        self.projection = PatchEmbedding(self.config.patch_size, self.config.hidden_size, dtype=self.dtype)

    def __call__(self, images: Float[Array, "b h w 3"]) -> Float[Array, "b n d"]:
        return self.projection(images).reshape(len(images), -1, self.config.hidden_size)


class Embeddings(nn.Module):
    """A class token before the patches, and where each of them lies."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        width, init = self.config.hidden_size, nn.initializers.normal(0.02)
        self.patch_embeddings = PatchEmbeddings(self.config, self.dtype)
        self.cls_token = self.param("cls_token", init, (1, 1, width))
        places = self.config.side**2 + 1
        self.position_embeddings = self.param("position_embeddings", init, (1, places, width))

    def __call__(self, images: Float[Array, "b h w 3"]) -> Float[Array, "b t d"]:
        patches = self.patch_embeddings(images)
        first = jnp.broadcast_to(self.cls_token.astype(self.dtype), (len(images), 1, patches.shape[2]))
        return jnp.concatenate([first, patches], axis=1) + self.position_embeddings.astype(self.dtype)


class ViT(nn.Module):
    """Images to `tokens` [b t d], the class token first, and `pooler` [b e] where the weights have one."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        self.embeddings = Embeddings(c, self.dtype)
        self.encoder = Layers(
            c.hidden_size, c.num_hidden_layers, c.num_attention_heads, c.intermediate_size,
            c.hidden_act, c.layer_norm_eps, c.qkv_bias, self.dtype,
        )  # fmt: skip
        self.layernorm = nn.LayerNorm(c.layer_norm_eps, dtype=self.dtype)
        if c.has_pooler:
            self.pooler = Dense(c.hidden_size, c.pooler_output_size or c.hidden_size, self.dtype)

    def __call__(self, images: Float[Array, "b h w 3"]) -> dict[str, Array]:
        tokens = self.layernorm(self.encoder(self.embeddings(images)))
        if not self.config.has_pooler:
            return {"tokens": tokens}
        return {"tokens": tokens, "pooler": activation(self.config.pooler_act)(self.pooler(tokens[:, 0]))}
