"""ArcFace's improved residual network (Deng et al. 2018, arXiv 1801.07698, section 3.2.2): IR-50 and kin.

Parameters are named as in the public PyTorch ports: flat lists, whose numbers count the layers without
weights too.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.nn.backbones.resnet import batch_norm
from abaw_jax.nn.convolution import Conv
from abaw_jax.nn.linear import Linear
from abaw_jax.types import DType


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes; these fields are what our `config.json` of it has."""

    layers: tuple[int, ...] = (3, 4, 14, 3)
    widths: tuple[int, ...] = (64, 128, 256, 512)
    stem: int = 64
    image_size: int = 112
    first_stride: int = 2
    """Of the first stage: 1 makes a 5 × 5 map of images of 40 pixels."""
    embedding_size: int = 512

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "Config":
        """From a `config.json`."""
        names = {field.name for field in dataclasses.fields(cls)}
        known = {key: value for key, value in config.items() if key in names}
        return cls(
            **{key: tuple(value) if isinstance(value, list) else value for key, value in known.items()}
        )

    @property
    def units(self) -> list[tuple[int, int, int]]:
        """(inputs, outputs, stride) of every unit of the body."""
        found, before = [], self.stem
        for stage, (count, width) in enumerate(zip(self.layers, self.widths, strict=True)):
            stride = 2 if stage else self.first_stride
            found += [(before, width, stride), *[(width, width, 1)] * (count - 1)]
            before = width
        return found


class PReLU(nn.Module):
    """A slope below zero for every channel."""

    @nn.compact
    def __call__(self, x: Float[Array, "b h w d"]) -> Float[Array, "b h w d"]:
        slope = self.param("weight", nn.initializers.constant(0.25), (x.shape[-1],))
        return jnp.where(x >= 0, x, slope.astype(x.dtype)[None, None, None] * x)


class Unit(nn.Module):
    """Norm, two convolutions of which the second strides, norm; beside what came in, subsampled."""

    inputs: int
    outputs: int
    stride: int
    dtype: DType = jnp.float32

    def setup(self) -> None:
        d, dtype = self.outputs, self.dtype
        first, second = Conv(d, dtype=dtype), Conv(d, 3, self.stride, dtype=dtype)
        self.res_layer = [batch_norm(dtype), first, PReLU(), second, batch_norm(dtype)]
        if self.inputs != d:
            self.shortcut_layer = [Conv(d, 1, self.stride, dtype=dtype), batch_norm(dtype)]

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        beside = x[:, :: self.stride, :: self.stride]
        if self.inputs != self.outputs:
            beside = x
            for part in self.shortcut_layer:
                beside = part(beside)
        for part in self.res_layer:
            x = part(x)
        return x + beside


class IResNet(nn.Module):
    """Aligned faces to `grid` [b p q d], the last map, and `embedding` [b e]."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c, dtype = self.config, self.dtype
        self.input_layer = [Conv(c.stem, dtype=dtype), batch_norm(dtype), PReLU()]
        self.body = [Unit(*unit, dtype) for unit in c.units]
        side = c.image_size
        for _, _, stride in c.units:
            side = -(-side // stride)
        # 1 is dropout and 2 flattens
        self.output_layer_0 = batch_norm(dtype)
        self.output_layer_3 = Linear(c.widths[-1] * side**2, c.embedding_size, dtype=dtype)
        self.output_layer_4 = batch_norm(dtype)

    def __call__(self, images: Float[Array, "b h w 3"]) -> dict[str, Array]:
        x = images
        for part in (*self.input_layer, *self.body):
            x = part(x)
        # the linear map of the file counts channels first
        flat = self.output_layer_0(x).transpose(0, 3, 1, 2).reshape(len(x), -1)
        return {"embedding": self.output_layer_4(self.output_layer_3(flat)), "grid": x}
