"""The half of wav2vec 2.0 that hears: its sizes, and the convolutions from the waveform to vectors."""

import dataclasses
import math
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from abaw_jax.nn.activations import activation
from abaw_jax.nn.linear import Linear
from abaw_jax.types import DType


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes; field names and defaults as in config.json."""

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-5
    feat_extract_norm: str = "group"
    feat_extract_activation: str = "gelu"
    conv_dim: tuple[int, ...] = (512,) * 7
    conv_kernel: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_stride: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_bias: bool = False
    num_conv_pos_embeddings: int = 128
    num_conv_pos_embedding_groups: int = 16
    do_stable_layer_norm: bool = False

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "Config":
        """From a `config.json`; what it asks for and is not built here is an error."""
        for key in ("add_adapter", "adapter_attn_dim"):
            if config.get(key):
                raise ValueError(f"wav2vec2 with adapters is not supported; found {key}={config[key]!r}")
        names = {field.name for field in dataclasses.fields(cls)}
        known = {key: value for key, value in config.items() if key in names}
        found = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in known.items()})
        if found.feat_extract_norm not in ("group", "layer"):
            raise ValueError(f"feat_extract_norm: found {found.feat_extract_norm!r}, expected group or layer")
        if not len(found.conv_dim) == len(found.conv_kernel) == len(found.conv_stride):
            raise ValueError(
                "conv_dim, conv_kernel and conv_stride differ in length; expected one entry a layer"
            )
        return found

    @property
    def stride(self) -> int:
        """Samples from one vector to the next."""
        return math.prod(self.conv_stride)

    @property
    def field(self) -> int:
        """Samples that the convolutions make one vector of."""
        jumps = [math.prod(self.conv_stride[:n]) for n in range(len(self.conv_stride))]
        return 1 + sum((k - 1) * jump for k, jump in zip(self.conv_kernel, jumps, strict=True))

    def vectors(self, samples: Int[Array, "*b"] | int) -> Int[Array, "*b"] | int:
        """How many vectors so many samples make, one convolution after the other."""
        for kernel, stride in zip(self.conv_kernel, self.conv_stride, strict=True):
            samples = (samples - kernel) // stride + 1
        return samples


class ConvLayer(nn.Module):
    """One convolution of the waveform, its norm if it has one, and what bends it."""

    config: Config
    number: int
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c, n = self.config, self.number
        self.conv = nn.Conv(
            c.conv_dim[n], (c.conv_kernel[n],), c.conv_stride[n], "VALID", use_bias=c.conv_bias,
            dtype=self.dtype,
        )  # fmt: skip
        if c.feat_extract_norm == "layer":
            self.layer_norm = nn.LayerNorm(1e-5, dtype=self.dtype)
        elif n == 0:  # a group a channel; a variance as a difference of sums over 30,000 steps would be rough
            self.layer_norm = nn.InstanceNorm(epsilon=1e-5, use_fast_variance=False, dtype=self.dtype)

    def __call__(self, x: Float[Array, "b s i"]) -> Float[Array, "b t o"]:
        x = self.conv(x)
        if self.config.feat_extract_norm == "layer" or self.number == 0:
            x = self.layer_norm(x)
        return activation(self.config.feat_extract_activation)(x)


class FeatureExtractor(nn.Module):
    """The waveform through its convolutions."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        layers = range(len(self.config.conv_dim))
        self.conv_layers = [ConvLayer(self.config, n, self.dtype) for n in layers]

    def __call__(self, sound: Float[Array, "b s"]) -> Float[Array, "b t c"]:
        x = sound[:, :, None].astype(self.dtype)
        for layer in self.conv_layers:
            x = layer(x)
        return x


class FeatureProjection(nn.Module):
    """From the convolutions' width to the transformer's."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        self.layer_norm = nn.LayerNorm(c.layer_norm_eps, dtype=self.dtype)
        self.projection = Linear(c.conv_dim[-1], c.hidden_size, dtype=self.dtype)

    def __call__(self, x: Float[Array, "b t c"]) -> Float[Array, "b t d"]:
        return self.projection(self.layer_norm(x))
