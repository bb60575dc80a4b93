"""Cutting images into patches and embedding each: a convolution without overlap, run as one product."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.nn.linear import affine
from abaw_jax.types import DType


class PatchEmbedding(nn.Module):
    """[b h w c] ▶ [b h/p w/p d], parameters as those of a convolution of stride p.

    What is left over at the right and at the bottom is cut, as a convolution without padding does.
    """

    patch: int
    width: int
    use_bias: bool = True
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, "b h w c"]) -> Float[Array, "b p q d"]:
        b, h, w, c = images.shape
        p, rows, columns = self.patch, h // self.patch, w // self.patch
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (p, p, c, self.width))
        bias = self.param("bias", nn.initializers.zeros, (self.width,)) if self.use_bias else None
        cut = images[:, : rows * p, : columns * p].reshape(b, rows, p, columns, p, c)
        patches = cut.transpose(0, 1, 3, 2, 4, 5).reshape(b, rows, columns, p * p * c)
        return affine(patches, kernel.reshape(p * p * c, self.width), bias, self.dtype)
