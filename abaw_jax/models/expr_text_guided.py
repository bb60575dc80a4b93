"""System C: faces over time and sound at its own rate hear each other; faces are also held against words.

Byeon, Kim, Lim 2026 (arXiv 2603.11971, VG-CMF) and the authors' code. The published contrast calls samples of
the same class negatives; here they are positives (`text.positives`), and the diagonal is the option.

Cached features are of encoders at rest; the authors leave their dropout on. Their sound is that of each
window by itself, fed raw; here a vector of wav2vec 2.0 has heard its chunk, normed as its weights want it,
which may reach past the row that is predicted (`audio.is_causal` hears the past alone, at the cost of a pass
a vector). Rows without a face are masked and rows without a label are seen as they are; the authors repeat
the last valid row up to five times and begin anew after that. Past a track's ends sound is masked; theirs is
zeros, and that of a track's first windows begins with the track. Those windows repeat its first row; the
authors learn from whole windows alone.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from abaw_jax.nn.linear import Linear
from abaw_jax.nn.masking import mean_over
from abaw_jax.nn.multihead import EPSILON, MultiHead
from abaw_jax.nn.streams import Heads, take
from abaw_jax.nn.temporal import Tcn, TemporalBlock
from abaw_jax.types import Array, Batch, DType, Outputs


class ExprTextGuided(nn.Module):
    """The first stream in a causal temporal network, the second mapped; one prediction a window.

    With the first stream alone, nothing is heard and its mean is all there is.
    """

    streams: tuple[str, ...] = ("video", "audio")
    tasks: tuple[str, ...] = ("expr",)
    width: int = 512
    levels: int = 6
    heads: int = 8
    temporal_dropout: float = 0.4
    audio_dropout: float = 0.3
    attention_dropout: float = 0.2
    head_dropout: float = 0.5
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, batch: Batch, train: bool = False) -> Outputs:
        """The tasks, one row a window, and `described`, to be held against prompts."""
        if not 1 <= len(self.streams) <= 2:
            raise ValueError(f"expected a stream of faces, one of sound, or both; found {self.streams}")
        norm = partial(nn.LayerNorm, EPSILON, dtype=self.dtype)
        drop = partial(nn.Dropout, deterministic=not train)
        face, seen = self._face(batch, train)
        pooled = [(face, seen)]
        if len(self.streams) == 2:
            sound, heard = take(batch, self.streams[1])
            sound = norm(name="sound_norm")(self._linear(sound, self.width, "sound"))
            sound = drop(self.audio_dropout)(jax.nn.relu(sound))
            attend = partial(MultiHead, self.heads, self.attention_dropout, dtype=self.dtype)
            of_sound = attend(name="face_hears")(face, sound, heard[:, None, None], train)
            of_face = attend(name="sound_sees")(sound, face, seen[:, None, None], train)
            face, sound = norm(name="face_norm")(face + of_sound), norm(name="voice_norm")(sound + of_face)
            pooled = [(face, seen), (sound, heard)]
        means = [mean_over(x, present) for x, present in pooled]
        y = self._linear(jnp.concatenate(means, axis=-1), self.width, "head_0")
        y = drop(self.head_dropout)(jax.nn.relu(norm(name="head_norm")(y)))
        y = drop(self.head_dropout)(jax.nn.relu(self._linear(y, self.width // 2, "head_1")))
        out = Heads(self.tasks, name="heads")(y[:, None])
        space = batch[self.streams[0]].shape[-1]  # CLIP's, in which its prompts are too
        return out | {"described": Linear(self.width, space, name="describe")(means[0])}  # in float32

    def _face(self, batch: Batch, train: bool) -> tuple[Array, Array]:
        """(what each row has seen, which rows are there)"""
        x, present = take(batch, self.streams[0])
        if x.shape[-1] != self.width:  # as published the features' own width is the model's
            x = self._linear(x, self.width, "face")
        widths = (self.width,) * self.levels
        block = partial(TemporalBlock, dropout=self.temporal_dropout, dtype=self.dtype)
        return Tcn(widths, block, name="temporal")(x, present, train), present

    def _linear(self, x: Array, width: int, name: str) -> Array:
        return Linear(x.shape[-1], width, dtype=self.dtype, name=name)(x)
