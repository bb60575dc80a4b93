"""Linear maps whose kernels can be seen from outside, so that several may run as one product."""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.types import DType


class Linear(nn.Module):
    """y = x W + b in `dtype`; unlike `nn.Dense` it knows its width before it is called."""

    inputs: int
    outputs: int
    use_bias: bool = True
    dtype: DType = jnp.float32

    def setup(self) -> None:
        self.kernel = self.param("kernel", nn.initializers.lecun_normal(), (self.inputs, self.outputs))
        self.bias = self.param("bias", nn.initializers.zeros, (self.outputs,)) if self.use_bias else None

    def __call__(self, x: Float[Array, "*n i"]) -> Float[Array, "*n o"]:
        return affine(x, self.kernel, self.bias, self.dtype)


def affine(x: Array, kernel: Array, bias: Array | None, dtype: DType) -> Array:
    """The map itself, over the last axis and in `dtype`."""
    y = jnp.dot(x.astype(dtype), kernel.astype(dtype))
    return y if bias is None else y + _last_axis(bias.astype(dtype), y)


def together(maps: Sequence[Linear], x: Float[Array, "*n i"]) -> list[Array]:
    """Every map of the same input, as one product: on accelerators one large product beats three small."""
    dtype = maps[0].dtype
    kernel = jnp.concatenate([m.kernel.astype(dtype) for m in maps], axis=1)
    biases = [jnp.zeros((m.outputs,), dtype) if m.bias is None else m.bias.astype(dtype) for m in maps]
    y = affine(x, kernel, jnp.concatenate(biases), dtype)
    edges = [sum(m.outputs for m in maps[: i + 1]) for i in range(len(maps) - 1)]
    return jnp.split(y, edges, axis=-1)


def _last_axis(vector: Array, like: Array) -> Array:
    return vector.reshape((1,) * (like.ndim - 1) + vector.shape)
