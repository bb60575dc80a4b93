"""Audio spectrogram transformer (Gong et al. 2021, arXiv 2104.01778): a ViT over patches of log-mel."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.nn.backbones.vit_layers import Layers
from abaw_jax.types import DType

SPECIAL = 2
"""Tokens before the patches: the class's and the distillation's."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes; field names and defaults as in config.json."""

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    qkv_bias: bool = True
    patch_size: int = 16
    frequency_stride: int = 10
    time_stride: int = 10
    max_length: int = 1024
    num_mel_bins: int = 128

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "Config":
        """From a `config.json`."""
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{key: value for key, value in config.items() if key in names})

    @property
    def grid(self) -> tuple[int, int]:
        """Patches over frequency and over time."""
        high = (self.num_mel_bins - self.patch_size) // self.frequency_stride + 1
        return high, (self.max_length - self.patch_size) // self.time_stride + 1


class PatchEmbeddings(nn.Module):
    """[b t m] ▶ patches, all of the lowest band first."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        size, strides = (c.patch_size, c.patch_size), (c.frequency_stride, c.time_stride)
        self.projection = nn.Conv(c.hidden_size, size, strides, "VALID", dtype=self.dtype)

    def __call__(self, mel: Float[Array, "b t m"]) -> Float[Array, "b n d"]:
        patches = self.projection(mel.swapaxes(1, 2)[..., None].astype(self.dtype))
        return patches.reshape(len(mel), -1, self.config.hidden_size)


class Embeddings(nn.Module):
    """Two tokens before the patches, and where each of them lies."""

    config: Config
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, mel: Float[Array, "b t m"]) -> Float[Array, "b n d"]:
        c, (high, long) = self.config, self.config.grid
        normal = nn.initializers.normal(0.02)
        tokens = [
            self.param(f"{name}_token", normal, (1, 1, c.hidden_size)) for name in ("cls", "distillation")
        ]
        places = self.param("position_embeddings", normal, (1, SPECIAL + high * long, c.hidden_size))
        first = jnp.concatenate(tokens, axis=1).astype(self.dtype)
        patches = PatchEmbeddings(c, self.dtype, name="patch_embeddings")(mel)
        x = jnp.concatenate([jnp.broadcast_to(first, (len(mel), *first.shape[1:])), patches], axis=1)
        return x + places.astype(self.dtype)


class AST(nn.Module):
    """[b t m] normalised log-mel of `max_length` frames ▶ all tokens, normed."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        self.embeddings = Embeddings(c, self.dtype)
        self.encoder = Layers(
            c.hidden_size, c.num_hidden_layers, c.num_attention_heads, c.intermediate_size, c.hidden_act,
            c.layer_norm_eps, c.qkv_bias, self.dtype,
        )  # fmt: skip
        self.layernorm = nn.LayerNorm(c.layer_norm_eps, dtype=self.dtype)

    def __call__(self, mel: Float[Array, "b t m"]) -> Float[Array, "b n d"]:
        return self.layernorm(self.encoder(self.embeddings(mel)))
