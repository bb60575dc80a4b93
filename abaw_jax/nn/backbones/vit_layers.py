"""The transformer layers that ViT and AST share, in the two levels of names that their files have."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.nn.activations import activation
from abaw_jax.nn.attention import attend, project
from abaw_jax.nn.linear import Linear
from abaw_jax.types import DType


class Dense(nn.Module):
    """A linear map that the file keeps one level down, under `dense`."""

    inputs: int
    outputs: int
    dtype: DType = jnp.float32

    def setup(self) -> None:
        self.dense = Linear(self.inputs, self.outputs, dtype=self.dtype)

    def __call__(self, x: Float[Array, "*n i"]) -> Float[Array, "*n o"]:
        return self.dense(x)


class SelfAttention(nn.Module):
    """What the heads attend to, before the output projection."""

    width: int
    heads: int
    has_bias: bool = True
    dtype: DType = jnp.float32

    def setup(self) -> None:
        self.query = Linear(self.width, self.width, self.has_bias, self.dtype)
        self.key = Linear(self.width, self.width, self.has_bias, self.dtype)
        self.value = Linear(self.width, self.width, self.has_bias, self.dtype)

    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
        q, k, v = project(x, self.query, self.key, self.value, heads=self.heads)
        return attend(q, k, v).reshape(x.shape)


class Attention(nn.Module):
    """Self-attention and its output projection, in the file's two levels."""

    width: int
    heads: int
    has_bias: bool = True
    dtype: DType = jnp.float32

    def setup(self) -> None:
        self.attention = SelfAttention(self.width, self.heads, self.has_bias, self.dtype)
        self.output = Dense(self.width, self.width, self.dtype)

    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
        return self.output(self.attention(x))


class Layer(nn.Module):
    """Pre-norm transformer layer."""

    hidden_size: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    qkv_bias: bool = True
    dtype: DType = jnp.float32

    def setup(self) -> None:
        width = self.hidden_size
        self.layernorm_before = nn.LayerNorm(self.layer_norm_eps, dtype=self.dtype)
        self.attention = Attention(width, self.num_attention_heads, self.qkv_bias, self.dtype)
        self.layernorm_after = nn.LayerNorm(self.layer_norm_eps, dtype=self.dtype)
        self.intermediate = Dense(width, self.intermediate_size, self.dtype)
        self.output = Dense(self.intermediate_size, width, self.dtype)

    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
        x = x + self.attention(self.layernorm_before(x))
        hidden = activation(self.hidden_act)(self.intermediate(self.layernorm_after(x)))
        return x + self.output(hidden)


class Layers(nn.Module):
    """The stack of layers, `encoder` in the file."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    qkv_bias: bool = True
    dtype: DType = jnp.float32

    def setup(self) -> None:
        sizes = self.hidden_size, self.num_attention_heads, self.intermediate_size
        details = self.hidden_act, self.layer_norm_eps, self.qkv_bias, self.dtype
        self.layer = [Layer(*sizes, *details) for _ in range(self.num_hidden_layers)]

    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
        for layer in self.layer:
            x = layer(x)
        return x
