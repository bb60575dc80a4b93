"""The encoder of Whisper (Radford et al. 2022, arXiv 2212.04356): log-mel in, 50 states a second out."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.nn.activations import activation
from abaw_jax.nn.attention import Attention
from abaw_jax.nn.linear import Linear
from abaw_jax.types import DType


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes; field names as in config.json."""

    d_model: int
    encoder_layers: int
    encoder_attention_heads: int
    encoder_ffn_dim: int
    num_mel_bins: int = 80
    max_source_positions: int = 1500
    activation_function: str = "gelu"
    scale_embedding: bool = False

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "Config":
        """From a `config.json`."""
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{key: value for key, value in config.items() if key in names})


class Layer(nn.Module):
    """Pre-norm transformer layer; keys have no bias."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        self.self_attn_layer_norm = nn.LayerNorm(1e-5, dtype=self.dtype)
        self.self_attn = Attention(c.d_model, c.encoder_attention_heads, has_key_bias=False, dtype=self.dtype)
        self.final_layer_norm = nn.LayerNorm(1e-5, dtype=self.dtype)
        self.fc1 = Linear(c.d_model, c.encoder_ffn_dim, dtype=self.dtype)
        self.fc2 = Linear(c.encoder_ffn_dim, c.d_model, dtype=self.dtype)

    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        hidden = activation(self.config.activation_function)(self.fc1(self.final_layer_norm(x)))
        return x + self.fc2(hidden)


class WhisperEncoder(nn.Module):
    """[b t m] log-mel frames ▶ hidden states, [b t/2 d] after each layer, the last one normed."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        self.conv1 = nn.Conv(c.d_model, (3,), padding=1, dtype=self.dtype)
        self.conv2 = nn.Conv(c.d_model, (3,), strides=2, padding=1, dtype=self.dtype)
        self.embed_positions = nn.Embed(c.max_source_positions, c.d_model, dtype=self.dtype)
        self.layers = [Layer(c, self.dtype) for _ in range(c.encoder_layers)]
        self.layer_norm = nn.LayerNorm(1e-5, dtype=self.dtype)

    def __call__(self, mel: Float[Array, "b t m"]) -> tuple[Float[Array, "b u d"], ...]:
        bend = activation("gelu")
        x = bend(self.conv2(bend(self.conv1(mel.astype(self.dtype)))))
        # a sound shorter than thirty seconds takes the first places
        x = x + self.embed_positions(jnp.arange(x.shape[1]))[None]
        states = [x]
        for layer in self.layers:
            x = layer(x)
            states.append(x)
        return (*states[:-1], self.layer_norm(x))
