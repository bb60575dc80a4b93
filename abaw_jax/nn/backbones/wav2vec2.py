"""wav2vec 2.0 (Baevski et al. 2020, arXiv 2006.11477): raw sound in, about 50 states a second out.

Base models norm the first convolution over time and each transformer layer after itself; large ones norm
every convolution over channels and each layer before itself (`do_stable_layer_norm`).
"""

import flax.linen as nn
import jax.numpy as jnp
from jax.lax import conv_general_dilated
from jaxtyping import Array, Bool, Float, Int

from abaw_jax.nn.activations import activation
from abaw_jax.nn.attention import Attention
from abaw_jax.nn.backbones.wav2vec2_front import Config, FeatureExtractor, FeatureProjection
from abaw_jax.nn.linear import Linear
from abaw_jax.types import DType

__all__ = ["Config", "Wav2Vec2"]


class WeightNormedConv(nn.Module):
    """A grouped convolution whose weight is a direction `weight_v` of length `weight_g`, tap by tap."""

    config: Config
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b u d"]:
        c = self.config
        taps, groups = c.num_conv_pos_embeddings, c.num_conv_pos_embedding_groups
        shape = (c.hidden_size, c.hidden_size // groups, taps)
        length = self.param("weight_g", nn.initializers.ones, (1, 1, taps))
        direction = self.param("weight_v", nn.initializers.normal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (c.hidden_size,))
        kernel = direction * (length / jnp.linalg.norm(direction, axis=(0, 1), keepdims=True))
        y = conv_general_dilated(
            x.astype(self.dtype), kernel.astype(self.dtype), (1,), [(taps // 2, taps // 2)],
            dimension_numbers=("NWC", "OIW", "NWC"), feature_group_count=groups,
        )  # fmt: skip
        return y + bias.astype(self.dtype)[None, None]


class PositionalConvEmbedding(nn.Module):
    """Where a frame is, told by its neighbours; an even number of taps makes a frame too many."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        self.conv = WeightNormedConv(self.config, self.dtype)

    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
        return activation(self.config.feat_extract_activation)(self.conv(x)[:, : x.shape[1]])


class FeedForward(nn.Module):
    """Two linear maps and what bends between them."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        self.intermediate_dense = Linear(c.hidden_size, c.intermediate_size, dtype=self.dtype)
        self.output_dense = Linear(c.intermediate_size, c.hidden_size, dtype=self.dtype)

    def __call__(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
        return self.output_dense(activation(self.config.hidden_act)(self.intermediate_dense(x)))


class Layer(nn.Module):
    """Transformer layer, normed after itself or, if stable, before."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        self.attention = Attention(c.hidden_size, c.num_attention_heads, dtype=self.dtype)
        self.layer_norm = nn.LayerNorm(c.layer_norm_eps, dtype=self.dtype)
        self.feed_forward = FeedForward(c, self.dtype)
        self.final_layer_norm = nn.LayerNorm(c.layer_norm_eps, dtype=self.dtype)

    def __call__(self, x: Float[Array, "b t d"], mask: Array | None = None) -> Float[Array, "b t d"]:
        if self.config.do_stable_layer_norm:
            x = x + self.attention(self.layer_norm(x), mask)
            return x + self.feed_forward(self.final_layer_norm(x))
        x = self.layer_norm(x + self.attention(x, mask))
        return self.final_layer_norm(x + self.feed_forward(x))


class Encoder(nn.Module):
    """The layers; hidden states as the format counts them, the first being what goes into layer 0."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        self.pos_conv_embed = PositionalConvEmbedding(c, self.dtype)
        self.layer_norm = nn.LayerNorm(c.layer_norm_eps, dtype=self.dtype)
        self.layers = [Layer(c, self.dtype) for _ in range(c.num_hidden_layers)]

    def __call__(
        self, x: Float[Array, "b t d"], is_sound: Bool[Array, "b t"] | None = None
    ) -> tuple[Float[Array, "b t d"], ...]:
        mask = None
        if is_sound is not None:
            x, mask = jnp.where(is_sound[:, :, None], x, 0), is_sound[:, None, None, :]
        x = x + self.pos_conv_embed(x)
        is_stable = self.config.do_stable_layer_norm
        states = [x if is_stable else self.layer_norm(x)]
        for layer in self.layers:
            states.append(layer(states[-1], mask))
        return (*states[:-1], self.layer_norm(states[-1])) if is_stable else tuple(states)


class Wav2Vec2(nn.Module):
    """[b s] sound ▶ hidden states, [b t d] before and after each layer.

    `samples` says how much of each row is sound; frames made of what follows are zeroed and not attended to.
    """

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        self.feature_extractor = FeatureExtractor(self.config, self.dtype)
        self.feature_projection = FeatureProjection(self.config, self.dtype)
        self.encoder = Encoder(self.config, self.dtype)

    def __call__(
        self, sound: Float[Array, "b s"], samples: Int[Array, " b"] | None = None
    ) -> tuple[Float[Array, "b t d"], ...]:
        x = self.feature_projection(self.feature_extractor(sound))
        if samples is None:
            return self.encoder(x)
        return self.encoder(x, jnp.arange(x.shape[1])[None] < self.config.vectors(samples)[:, None])
