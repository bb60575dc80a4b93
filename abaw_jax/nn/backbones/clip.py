"""CLIP: image and text towers and their projections (Radford et al. 2021, arXiv 2103.00020).

OpenAI's weights want quick_gelu, LAION's the exact gelu: the config says which.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from abaw_jax.nn.activations import activation
from abaw_jax.nn.attention import Attention
from abaw_jax.nn.linear import Linear
from abaw_jax.nn.patches import PatchEmbedding
from abaw_jax.types import DType


@dataclasses.dataclass(frozen=True)
class Tower:
    """Sizes of one tower; field names as in config.json."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5
    image_size: int = 224
    patch_size: int = 32
    vocab_size: int = 49408
    max_position_embeddings: int = 77
    eos_token_id: int = 49407


LEGACY_EOS = 2
"""Configs of OpenAI's first files name this id and mean: the largest id of each text."""


class MLP(nn.Module):
    """Two linear maps and what bends between them."""

    config: Tower
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        self.fc1 = Linear(c.hidden_size, c.intermediate_size, dtype=self.dtype)
        self.fc2 = Linear(c.intermediate_size, c.hidden_size, dtype=self.dtype)

    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
        return self.fc2(activation(self.config.hidden_act)(self.fc1(x)))


class Layer(nn.Module):
    """Pre-norm transformer layer."""

    config: Tower
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        self.layer_norm1 = nn.LayerNorm(c.layer_norm_eps, dtype=self.dtype)
        self.self_attn = Attention(c.hidden_size, c.num_attention_heads, dtype=self.dtype)
        self.layer_norm2 = nn.LayerNorm(c.layer_norm_eps, dtype=self.dtype)
        self.mlp = MLP(c, self.dtype)

    def __call__(
        self, x: Float[Array, "b t d"], mask: Array | None = None, first: int | None = None
    ) -> Float[Array, "b u d"]:
        """All tokens, or the `first` so many where nobody asks what becomes of the others."""
        x = x[:, :first] + self.self_attn(self.layer_norm1(x), mask, first)
        return x + self.mlp(self.layer_norm2(x))


class Encoder(nn.Module):
    """The layers of one tower."""

    config: Tower
    dtype: DType = jnp.float32

    def setup(self) -> None:
        self.layers = [Layer(self.config, self.dtype) for _ in range(self.config.num_hidden_layers)]

    def __call__(
        self, x: Float[Array, "b t d"], mask: Array | None = None, first: int | None = None
    ) -> Float[Array, "b u d"]:
        for layer in self.layers[:-1]:
            x = layer(x, mask)
        return self.layers[-1](x, mask, first)


class VisionEmbeddings(nn.Module):
    """A class token before the patches, and where each of them lies."""

    config: Tower
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b h w 3"]) -> Float[Array, "b t d"]:
        c, b = self.config, len(images)
        token = self.param("class_embedding", nn.initializers.normal(), (c.hidden_size,))
        grid = PatchEmbedding(
            c.patch_size, c.hidden_size, use_bias=False, dtype=self.dtype, name="patch_embedding"
        )
        patches = grid(images).reshape(b, -1, c.hidden_size)
        first = jnp.broadcast_to(token.astype(self.dtype), (b, 1, c.hidden_size))
        x = jnp.concatenate([first, patches], axis=1)
        places = (c.image_size // c.patch_size) ** 2 + 1
        return (
            x + nn.Embed(places, c.hidden_size, dtype=self.dtype, name="position_embedding").embedding[None]
        )


class VisionTower(nn.Module):
    """Images to (last hidden states, the class token normed)."""

    config: Tower
    dtype: DType = jnp.float32

    def setup(self) -> None:
        eps = self.config.layer_norm_eps
        self.embeddings = VisionEmbeddings(self.config, self.dtype)
        self.pre_layrnorm = nn.LayerNorm(eps, dtype=self.dtype)  # spelt as in the file
        self.encoder = Encoder(self.config, self.dtype)
        self.post_layernorm = nn.LayerNorm(eps, dtype=self.dtype)

    def __call__(
        self, images: Float[Array, "b h w 3"], has_patches: bool = True
    ) -> tuple[Float[Array, "b t d"], Float[Array, "b d"]]:
        first = None if has_patches else 1
        hidden = self.encoder(self.pre_layrnorm(self.embeddings(images)), first=first)
        return hidden, self.post_layernorm(hidden[:, 0])


class TextEmbeddings(nn.Module):
    """Which token, and at which place."""

    config: Tower
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        self.token_embedding = nn.Embed(c.vocab_size, c.hidden_size, dtype=self.dtype)
        self.position_embedding = nn.Embed(c.max_position_embeddings, c.hidden_size, dtype=self.dtype)

    def __call__(self, ids: Int[Array, "b t"]) -> Float[Array, "b t d"]:
        places = self.position_embedding(jnp.arange(ids.shape[1]))
        return self.token_embedding(ids) + places[None]


class TextTower(nn.Module):
    """Tokens to (last hidden states, the state at the end-of-text token), each normed."""

    config: Tower
    dtype: DType = jnp.float32

    def setup(self) -> None:
        self.embeddings = TextEmbeddings(self.config, self.dtype)
        self.encoder = Encoder(self.config, self.dtype)
        self.final_layer_norm = nn.LayerNorm(self.config.layer_norm_eps, dtype=self.dtype)

    def __call__(
        self, ids: Int[Array, "b t"], is_token: Bool[Array, "b t"] | None = None
    ) -> tuple[Float[Array, "b t d"], Float[Array, "b d"]]:
        t = ids.shape[1]
        mask = jnp.tril(jnp.ones((t, t), bool))[None, None]
        if is_token is not None:
            mask = mask & is_token[:, None, None, :]
        hidden = self.final_layer_norm(self.encoder(self.embeddings(ids), mask))
        eos = self.config.eos_token_id
        is_end = ids if eos == LEGACY_EOS else ids == eos
        return hidden, hidden[jnp.arange(len(ids)), jnp.argmax(is_end, axis=1)]


@dataclasses.dataclass(frozen=True)
class Config:
    """Both towers and the width that they meet in."""

    vision: Tower
    text: Tower
    projection_dim: int = 512

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "Config":
        """From a `config.json`, whose towers leave out what is the format's default."""
        vision = _known({"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
                         "intermediate_size": 3072} | config.get("vision_config", {}))  # fmt: skip
        text = _known({"hidden_size": 512, "num_hidden_layers": 12, "num_attention_heads": 8,
                       "intermediate_size": 2048} | config.get("text_config", {}))  # fmt: skip
        return cls(Tower(**vision), Tower(**text), config.get("projection_dim", 512))


def _known(entries: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(Tower)}
    return {key: value for key, value in entries.items() if key in names}


class CLIP(nn.Module):
    """Both towers, their projections, and the temperature."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        self.vision_model = VisionTower(c.vision, self.dtype)
        self.text_model = TextTower(c.text, self.dtype)
        self.visual_projection = Linear(c.vision.hidden_size, c.projection_dim, False, self.dtype)
        self.text_projection = Linear(c.text.hidden_size, c.projection_dim, False, self.dtype)
        self.logit_scale = self.param("logit_scale", nn.initializers.constant(2.6592), ())

    def __call__(self, images: Array, ids: Array) -> dict[str, Array]:
        """Everything, so that every parameter has its place."""
        return self.encode_image(images) | self.encode_text(ids) | {"logit_scale": self.logit_scale}

    def encode_image(self, images: Float[Array, "b h w 3"], has_patches: bool = True) -> dict[str, Array]:
        """`image` [b e] in the common space, and the patches as `patches` [b t d], class token apart.

        Without the patches, which then are none, the last layer has one token to carry on.
        """
        hidden, pooled = self.vision_model(images, has_patches)
        return {"image": self.visual_projection(pooled), "pooled": pooled, "patches": hidden[:, 1:]}

    def encode_text(self, ids: Int[Array, "b t"], is_token: Array | None = None) -> dict[str, Array]:
        """`text` [b e] in the common space."""
        _, pooled = self.text_model(ids, is_token)
        return {"text": self.text_projection(pooled)}
