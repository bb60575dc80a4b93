"""System B: three temporal networks a modality, and attention across modalities at each row.

Wang et al. 2025 (arXiv 2503.10523; first in VA at the 8th ABAW). After the module that was recovered from the
authors' repository, whose published source does not run; its two unused norms are left out.
`fusion="mha_gate"` is what that source means to do, its missing names filled in: the heads hear over the
window, and what is let in beside the face is the mean of what it hears.

With cached features the face network cannot be released step by step, nor faces cropped and flipped anew. The
recovered module hears 39 MFCC, the paper log-mel through a network trained with the rest; here MFCC is
librosa's. Rows that a short track lacks are masked, where the authors learn their zeros; kernels begin as
Flax begins them; and training goes on from where it is, where theirs goes back to the best weights after each
epoch.
"""

from collections.abc import Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.nn.interaction import AcrossModalities
from abaw_jax.nn.linear import Linear
from abaw_jax.nn.multihead import EPSILON, MultiHead
from abaw_jax.nn.streams import Heads, bounded, take
from abaw_jax.nn.temporal import Tcn, TemporalBlock
from abaw_jax.problems import one_of
from abaw_jax.types import Batch, DType, Outputs

FUSIONS = ("interaction", "mha_gate")


class VaInteractive(nn.Module):
    """The first stream is what the others are set beside, for the published system the face."""

    streams: tuple[str, ...] = ("video", "audio")
    tasks: tuple[str, ...] = ("va",)
    width: int = 128
    """Of each temporal network of the first stream."""
    side_width: int = 64
    """Of the others'."""
    shared_width: int = 64
    """In which modalities meet."""
    taps: tuple[int, ...] = (3, 5, 7)
    levels: int = 4
    head_width: int = 128
    fusion: str = "interaction"
    gate_width: int = 256
    gate_heads: int = 4
    dropout: float = 0.1
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, batch: Batch, train: bool = False) -> Outputs:
        """The tasks row by row; valence and arousal as they come, to be clipped."""
        one_of("model.fusion", self.fusion, FUSIONS)
        taken = [take(batch, stream) for stream in self.streams]
        states = [self._over_time(x, present, i, train) for i, (x, present) in enumerate(taken)]
        if self.fusion == "mha_gate":
            return self._gated(states, [present for _, present in taken], train)
        together = AcrossModalities(self.shared_width, self.dtype, name="interaction")(*states)
        z = jnp.concatenate([states[0], together.reshape(*together.shape[:2], -1)], axis=-1)
        return Heads(self.tasks, name="heads")(self._regress(z, self.head_width))

    def _over_time(
        self, x: Float[Array, "b t d"], present: Bool[Array, "b t"], i: int, train: bool
    ) -> Float[Array, "b t w"]:
        widths = (self.side_width if i else self.width,) * self.levels
        block = partial(
            TemporalBlock, activation="leaky_relu", dropout=self.dropout, drops_channels=True,
            is_normed=True, dtype=self.dtype,
        )  # fmt: skip
        seen = [
            Tcn(widths, partial(block, taps=taps), name=f"{self.streams[i]}_{taps}_taps")(x, present, train)
            for taps in self.taps
        ]
        return jnp.concatenate(seen, axis=-1)

    def _regress(self, x: Array, width: int) -> Array:
        """Up to the last map."""
        y = Linear(x.shape[-1], width, dtype=self.dtype, name="regress")(x)
        y = nn.LayerNorm(EPSILON, dtype=self.dtype, name="regress_norm")(y)
        return jax.nn.gelu(y, approximate=False)

    def _gated(self, states: Sequence[Array], present: Sequence[Array], train: bool) -> dict[str, Array]:
        """What the face hears of each other stream over the window, let in by a gate."""
        d = self.gate_width
        face = Linear(states[0].shape[-1], d, dtype=self.dtype, name="face")(states[0])
        heard = []
        for i, x in enumerate(states[1:], start=1):
            memory = Linear(x.shape[-1], d, dtype=self.dtype, name=f"memory_{i}")(x)
            memory = nn.LayerNorm(EPSILON, dtype=self.dtype, name=f"memory_norm_{i}")(memory)
            memory = jax.nn.gelu(memory, approximate=False)
            attention = MultiHead(self.gate_heads, dtype=self.dtype, name=f"attention_{i}")
            heard.append(attention(face, memory, present[i][:, None, None], train))
        if not heard:
            raise ValueError("model.fusion: 'mha_gate' wants at least two streams, found one")
        gate = Linear((1 + len(heard)) * d, d, dtype=self.dtype, name="gate")
        gate = jax.nn.sigmoid(gate(jnp.concatenate([face, *heard], axis=-1)))
        fused = gate * face + (1 - gate) * sum(heard) / len(heard)
        out = self._regress(jnp.concatenate([face, fused], axis=-1), self.head_width // 2)
        out = Heads(self.tasks, name="heads")(out)
        return bounded(out)
