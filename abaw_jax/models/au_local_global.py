"""System J: the whole face and three parts of it, sound near and far, heard at several scales.

Yu et al. 2025 (arXiv 2503.11115). The widths of the temporal network, the head, the weights of the units and
the recipe are those of the code that it builds on (AUD-TGN), but for going back to the best weights after
each epoch; its transformer gives way to attention at several scales, which the paper names without equations,
as it does views and alignment: what stands here for them is a default, not from it. Its norm over channels
and rows at once would fix the window's length: here it is over channels alone. With cached features the last
stage of the face network cannot be trained, nor faces cropped and flipped anew.
"""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.nn.linear import Linear
from abaw_jax.nn.masking import hide, mean_over
from abaw_jax.nn.multihead import EPSILON, MultiHead
from abaw_jax.nn.norms import BatchNorm
from abaw_jax.nn.spans import WHOLE, SpannedLayer
from abaw_jax.nn.streams import Heads, take_joined
from abaw_jax.nn.temporal import Tcn, TemporalBlock
from abaw_jax.types import Batch, DType, Outputs


class AuLocalGlobal(nn.Module):
    """Streams named in `sounds` are heard, all others seen side by side; any length."""

    streams: tuple[str, ...] = ("video", "brows", "middle", "mouth", "audio")
    sounds: tuple[str, ...] = ("audio",)
    tasks: tuple[str, ...] = ("au",)
    width: int = 256
    heads: int = 4
    layers: int = 2
    scales: tuple[int, ...] = (8, 32, WHOLE)
    ramp: float = 8.0
    expansion: int = 2
    """Width, heads, layers, scales, ramp, expansion: defaults, not from the paper."""
    temporal_widths: tuple[int, ...] = (256, 256, 128, 128, 128)
    taps: int = 5
    head_width: int = 64
    dropout: float = 0.2
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, batch: Batch, train: bool = False) -> Outputs:
        """The tasks row by row."""
        x, present = self._tokens(batch, train)
        layer = partial(
            SpannedLayer, self.heads, self.scales, self.ramp, self.expansion, self.dropout, self.dtype
        )
        for i in range(self.layers):
            x = layer(name=f"layer_{i}")(x, present, train)
        block = partial(
            TemporalBlock, taps=self.taps, activation="leaky_relu", dropout=self.dropout, is_normed=True,
            dtype=self.dtype,
        )  # fmt: skip
        x = Tcn(self.temporal_widths, block, name="temporal")(x, present, train)
        x = nn.LayerNorm(EPSILON, dtype=self.dtype, name="temporal_norm")(x)
        x = Linear(x.shape[-1], self.head_width, dtype=self.dtype, name="head")(x)
        x = BatchNorm(self.dtype, name="head_norm")(x, present, train)
        return Heads(self.tasks, name="heads")(x)

    def _tokens(self, batch: Batch, train: bool) -> tuple[Float[Array, "b t d"], Bool[Array, "b t"]]:
        """Faces aligned with sound, and the sound, side by side."""
        linear = partial(Linear, dtype=self.dtype)
        faces = [stream for stream in self.streams if stream not in self.sounds]
        sounds = [stream for stream in self.streams if stream in self.sounds]
        tokens, there = [], []
        for name, streams in (("face", faces), ("sound", sounds)):
            if not streams:
                continue
            x, present = take_joined(batch, streams)
            if name == "sound":
                window = jnp.broadcast_to(mean_over(x, present)[:, None], x.shape)
                x = jnp.concatenate([x, window], axis=-1)
            tokens.append(hide(linear(x.shape[-1], self.width, name=name)(x), present))
            there.append(present)
        if len(tokens) == 2:
            attention = MultiHead(self.heads, self.dropout, dtype=self.dtype, name="align")
            heard = attention(tokens[0], tokens[1], there[1][:, None, None], train)
            tokens[0] = nn.LayerNorm(EPSILON, dtype=self.dtype, name="align_norm")(tokens[0] + heard)
        return jnp.concatenate(tokens, axis=-1), jnp.stack(there).any(axis=0)
