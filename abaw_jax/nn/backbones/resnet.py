"""ResNet (He et al. 2015, arXiv 1512.03385) with the strides of V1.5: in the 3 × 3 of a bottleneck."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.nn.activations import activation
from abaw_jax.nn.convolution import Conv
from abaw_jax.types import DType

REDUCTION = 4
"""A bottleneck is this much narrower than what goes in and out of it."""
LAYER_TYPES = ("basic", "bottleneck")


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes; field names and defaults as in config.json."""

    embedding_size: int = 64
    hidden_sizes: tuple[int, ...] = (256, 512, 1024, 2048)
    depths: tuple[int, ...] = (3, 4, 6, 3)
    layer_type: str = "bottleneck"
    hidden_act: str = "relu"
    downsample_in_first_stage: bool = False
    downsample_in_bottleneck: bool = False

    def __post_init__(self) -> None:
        if self.layer_type not in LAYER_TYPES:
            raise ValueError(f"layer_type {self.layer_type!r}; expected one of: {', '.join(LAYER_TYPES)}")

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "Config":
        """From a `config.json`."""
        names = {field.name for field in dataclasses.fields(cls)}
        known = {key: value for key, value in config.items() if key in names}
        for name in ("hidden_sizes", "depths"):
            if name in known:
                known[name] = tuple(known[name])
        return cls(**known)


def batch_norm(dtype: DType) -> nn.BatchNorm:
    """By the statistics of the file, with torch's epsilon."""
    return nn.BatchNorm(use_running_average=True, epsilon=1e-5, dtype=dtype)


class ConvLayer(nn.Module):
    """Convolution, batch norm, and what bends, if anything does."""

    width: int
    size: int = 3
    stride: int = 1
    act: str | None = "relu"
    dtype: DType = jnp.float32

    def setup(self) -> None:
        self.convolution = Conv(self.width, self.size, self.stride, dtype=self.dtype)
        self.normalization = batch_norm(self.dtype)

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        x = self.normalization(self.convolution(x))
        return x if self.act is None else activation(self.act)(x)


class Layer(nn.Module):
    """Two or three convolutions beside a shortcut, itself convolved where shapes differ.

    As in the reference, the config's activation bends the sum and relu, whatever it says, what is inside.
    """

    config: Config
    inputs: int
    width: int
    stride: int = 1
    dtype: DType = jnp.float32

    def setup(self) -> None:
        rows = self._bottleneck() if self.config.layer_type == "bottleneck" else self._basic()
        self.layer = [ConvLayer(*row, dtype=self.dtype) for row in rows]
        if self._has_shortcut:
            self.shortcut = ConvLayer(self.width, 1, self.stride, None, self.dtype)

    @property
    def _has_shortcut(self) -> bool:
        return self.inputs != self.width or self.stride != 1

    def _basic(self) -> list[tuple]:
        return [(self.width, 3, self.stride), (self.width, 3, 1, None)]

    def _bottleneck(self) -> list[tuple]:
        narrow = self.width // REDUCTION
        strides = (self.stride, 1) if self.config.downsample_in_bottleneck else (1, self.stride)
        return [(narrow, 1, strides[0]), (narrow, 3, strides[1]), (self.width, 1, 1, None)]

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        beside = self.shortcut(x) if self._has_shortcut else x
        for part in self.layer:
            x = part(x)
        return activation(self.config.hidden_act)(x + beside)


class Stage(nn.Module):
    """Layers of one width, of which the first may stride."""

    config: Config
    index: int
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        before, width = (c.embedding_size, *c.hidden_sizes)[self.index : self.index + 2]
        stride = 2 if self.index or c.downsample_in_first_stage else 1
        first = Layer(c, before, width, stride, self.dtype)
        self.layers = [
            first,
            *(Layer(c, width, width, 1, self.dtype) for _ in range(c.depths[self.index] - 1)),
        ]

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        for layer in self.layers:
            x = layer(x)
        return x


class Stages(nn.Module):
    """All of them, `encoder` in the file."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        self.stages = [Stage(self.config, i, self.dtype) for i in range(len(self.config.depths))]

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        for stage in self.stages:
            x = stage(x)
        return x


class Stem(nn.Module):
    """7 × 7 and a maximum, each halving."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        self.embedder = ConvLayer(c.embedding_size, 7, 2, c.hidden_act, self.dtype)

    def __call__(self, images: Float[Array, "b h w 3"]) -> Float[Array, "b p q d"]:
        return nn.max_pool(self.embedder(images), (3, 3), (2, 2), ((1, 1), (1, 1)))


class ResNet(nn.Module):
    """Images to `grid` [b p q d], the last stage's map, and `pooled` [b d], its mean."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        self.embedder = Stem(self.config, self.dtype)
        self.encoder = Stages(self.config, self.dtype)

    def __call__(self, images: Float[Array, "b h w 3"]) -> dict[str, Array]:
        grid = self.encoder(self.embedder(images))
        return {"pooled": grid.mean((1, 2)), "grid": grid}
