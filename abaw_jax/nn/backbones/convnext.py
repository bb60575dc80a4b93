"""ConvNeXt (Liu et al. 2022, arXiv 2201.03545) and V2, whose blocks normalise responses (Woo et al. 2023,
arXiv 2301.00808).
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.nn.activations import activation
from abaw_jax.nn.convolution import DepthwiseConv
from abaw_jax.nn.linear import Linear
from abaw_jax.nn.patches import PatchEmbedding
from abaw_jax.types import DType

EPS = 1e-6
"""Of every norm but the last, whatever the config says of that one."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes; field names and defaults as in config.json."""

    hidden_sizes: tuple[int, ...] = (96, 192, 384, 768)
    depths: tuple[int, ...] = (3, 3, 9, 3)
    patch_size: int = 4
    image_size: int = 224
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    layer_scale_init_value: float = 1e-6
    is_v2: bool = False

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "Config":
        """From a `config.json`."""
        names = {field.name for field in dataclasses.fields(cls)}
        known = {key: value for key, value in config.items() if key in names}
        for name in ("hidden_sizes", "depths"):
            if name in known:
                known[name] = tuple(known[name])
        return cls(**known | {"is_v2": config.get("model_type") == "convnextv2"})


class ResponseNorm(nn.Module):
    """Global response normalisation: what a channel says over the whole map, against the other channels."""

    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w d"]) -> Float[Array, "b h w d"]:
        shape = (1, 1, 1, x.shape[-1])
        weight = self.param("weight", nn.initializers.zeros, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        wide = x.astype(jnp.float32)
        strength = jnp.sqrt((wide**2).sum((1, 2), keepdims=True))
        share = strength / (strength.mean(-1, keepdims=True) + EPS)
        return (weight * (wide * share) + bias + wide).astype(self.dtype)


class Layer(nn.Module):
    """Depthwise 7 × 7, then two linear maps at every place, beside what came in."""

    config: Config
    width: int
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c, d = self.config, self.width
        self.dwconv = DepthwiseConv(7, self.dtype)
        self.layernorm = nn.LayerNorm(EPS, dtype=self.dtype)
        self.pwconv1 = Linear(d, 4 * d, dtype=self.dtype)
        self.pwconv2 = Linear(4 * d, d, dtype=self.dtype)
        if c.is_v2:
            self.grn = ResponseNorm(self.dtype)
        elif c.layer_scale_init_value > 0:
            init = nn.initializers.constant(c.layer_scale_init_value)
            self.layer_scale_parameter = self.param("layer_scale_parameter", init, (d,))

    def __call__(self, x: Float[Array, "b h w d"]) -> Float[Array, "b h w d"]:
        hidden = activation(self.config.hidden_act)(self.pwconv1(self.layernorm(self.dwconv(x))))
        if self.config.is_v2:
            return x + self.pwconv2(self.grn(hidden))
        hidden = self.pwconv2(hidden)
        if self.config.layer_scale_init_value > 0:
            hidden = self.layer_scale_parameter.astype(self.dtype)[None, None, None] * hidden
        return x + hidden


class Stage(nn.Module):
    """Layers of one width; every stage but the first halves the map before them."""

    config: Config
    index: int
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c, width = self.config, self.config.hidden_sizes[self.index]
        if self.index:
            halve = PatchEmbedding(2, width, dtype=self.dtype)
            self.downsampling_layer = [nn.LayerNorm(EPS, dtype=self.dtype), halve]
        self.layers = [Layer(c, width, self.dtype) for _ in range(c.depths[self.index])]

    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        for part in (*(self.downsampling_layer if self.index else ()), *self.layers):
            x = part(x)
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


class Embeddings(nn.Module):
    """Patches, normed."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        self.patch_embeddings = PatchEmbedding(c.patch_size, c.hidden_sizes[0], dtype=self.dtype)
        self.layernorm = nn.LayerNorm(EPS, dtype=self.dtype)

    def __call__(self, images: Float[Array, "b h w 3"]) -> Float[Array, "b p q d"]:
        return self.layernorm(self.patch_embeddings(images))


class ConvNeXt(nn.Module):
    """Images to `grid` [b p q d], the last stage's map, and `pooled` [b d], its mean normed."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        self.embeddings = Embeddings(self.config, self.dtype)
        self.encoder = Stages(self.config, self.dtype)
        self.layernorm = nn.LayerNorm(self.config.layer_norm_eps, dtype=self.dtype)

    def __call__(self, images: Float[Array, "b h w 3"]) -> dict[str, Array]:
        grid = self.encoder(self.embeddings(images))
        return {"pooled": self.layernorm(grid.mean((1, 2))), "grid": grid}
