"""System D: a few faces of the past ten seconds hear its sound; affect, and soft membership of nine states.

Jung, Park, Lim 2026 (arXiv 2603.13415) and the authors' code. Two things are theirs and look odd: the gate
weighs the fused sequence against the faces, not against the sound; and with a frozen CLIP their term of
prompts has no gradient, as nothing that is learnt stands before it. Here a residual adapter does
(`has_adapter`, ours), which affect is told from too, so that words have a say in what is learnt.

Sound is one vector for each moment of AST's grid, its bands' mean, where the authors run over all patches
band by band, the distillation token first. A cached vector has heard its chunk, which may reach past the row
that is predicted (`audio.is_causal` hears the past alone). CLIP's own pixel norm stands in for ImageNet's.
Where fewer than twenty faces are there, all are spread evenly; the authors repeat the first. Where none is,
sound alone is heard; the authors leave such windows out.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from abaw_jax.nn.fusion import PairGate
from abaw_jax.nn.linear import Linear
from abaw_jax.nn.masking import at_moments, hide, mean_over
from abaw_jax.nn.multihead import PostNormLayer
from abaw_jax.nn.recurrent import BothWays
from abaw_jax.nn.streams import Heads, take
from abaw_jax.nn.temporal import Tcn, TemporalBlock
from abaw_jax.problems import one_of
from abaw_jax.types import Array, Batch, DType, Outputs

TEMPORALS = ("tcn", "gru")
FUSIONS = ("cross_gated", "cross", "gated")


class VaSoftPrompt(nn.Module):
    """The first stream is of faces, the second of sound on any clock; one prediction a window."""

    streams: tuple[str, ...] = ("video", "audio")
    tasks: tuple[str, ...] = ("va",)
    width: int = 256
    temporal: str = "tcn"
    """tcn, as in the released settings; gru, as in the abstract."""
    fusion: str = "cross_gated"
    """cross_gated: what faces hear, weighed against the faces; cross: not weighed; gated: faces against
    sound."""
    levels: int = 2
    heads: int = 4
    has_adapter: bool = True
    """Ours: a residual map of the faces, before all else. Without it the term of prompts is a constant."""
    dropout: float = 0.1
    head_dropout: float = 0.2
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, batch: Batch, train: bool = False) -> Outputs:
        """The tasks, one row a window, affect to be clipped; and `described`, to be held against prompts."""
        self._check()
        raw, seen = take(batch, self.streams[0])
        if self.has_adapter:  # from nothing: it begins as it is
            adapter = partial(nn.Dense, dtype=self.dtype, kernel_init=nn.initializers.zeros)
            raw = raw + adapter(raw.shape[-1], name="adapter")(raw).astype(raw.dtype)
        face = fused = self._over_time(raw, seen, "face", train)
        if len(self.streams) == 2:
            sound, heard = take(batch, self.streams[1])
            sound = self._over_time(sound, heard, "sound", train)
            fused = self._fuse(face, sound, heard, train)
        pooled = seen | ~seen.any(axis=1, keepdims=True)  # of no face at all: what sound says
        y = jax.nn.relu(self._linear(mean_over(fused, pooled), self.width // 2, "head"))
        y = nn.Dropout(self.head_dropout, deterministic=not train)(y)
        out = Heads(self.tasks, name="heads")(y[:, None])
        return out | {"described": mean_over(raw, seen).astype(jnp.float32)}

    def _over_time(self, x: Array, present: Array, name: str, train: bool) -> Array:
        x = self._linear(x, self.width, f"{name}_embed")
        if self.temporal == "gru":
            x = BothWays(self.width, self.dtype, name=f"{name}_gru")(hide(x, present), present)
        else:
            widths = (self.width,) * self.levels
            block = partial(TemporalBlock, dropout=self.dropout, dtype=self.dtype)
            x = Tcn(widths, block, name=f"{name}_tcn")(x, present, train)
        return self._linear(x, self.width, f"{name}_out")

    def _fuse(self, face: Array, sound: Array, heard: Array, train: bool) -> Array:
        gate = PairGate(self.dropout, self.dtype, name="gate")
        if self.fusion == "gated":
            return gate(face, at_moments(sound, heard, face.shape[1])[0], train)
        cross = PostNormLayer(
            self.heads, 4 * self.width, self.dropout, drops_sums=False, dtype=self.dtype, name="cross"
        )
        fused = cross(face, heard, sound, train)
        return gate(fused, face, train) if self.fusion == "cross_gated" else fused

    def _linear(self, x: Array, width: int, name: str) -> Array:
        return Linear(x.shape[-1], width, dtype=self.dtype, name=name)(x)

    def _check(self) -> None:
        one_of("model.temporal", self.temporal, TEMPORALS)
        one_of("model.fusion", self.fusion, FUSIONS)
        if not 1 <= len(self.streams) <= 2:
            raise ValueError(f"expected a stream of faces, one of sound, or both; found {self.streams}")
