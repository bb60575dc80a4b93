"""System A: attention over channels and places of each modality, weighed by key frames, fused at dilations.

Yu, Zheng, Wang, Wang, Xu 2025 (arXiv 2503.11935, first version). No code is published and no size is given:
this is a reconstruction from the modules that it names, and all fields are defaults, not from the paper. Of
its third version are `fusion="decision"`, the coarse loss (`loss.expr.coarse`; 0.5 as a default) and masked
frequencies (`augment.bands`, which are frequencies where sound is `logmel`).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array

from abaw_jax.nn.dilated import DilatedFusion
from abaw_jax.nn.keyframes import KeyFrames
from abaw_jax.nn.linear import Linear
from abaw_jax.nn.masking import at_moments, hide, mean_over
from abaw_jax.nn.spatial import GlobalChannelSpatial, MedianChannelSpatial
from abaw_jax.nn.streams import Heads, take
from abaw_jax.problems import one_of
from abaw_jax.types import Batch, DType, Outputs

FUSIONS = ("dilated", "decision")


class ExprDilatedFusion(nn.Module):
    """A stream of maps goes through MECS, one of vectors through GCSA along time; a prediction a window.

    The window's moments are those of the first stream; the others are averaged down to them.
    """

    streams: tuple[str, ...] = ("video", "audio")
    tasks: tuple[str, ...] = ("expr",)
    width: int = 128
    sound_taps: int = 7
    dilations: tuple[int, ...] = (2, 4, 8)
    fusion: str = "dilated"
    face_share: float = 0.5
    """Of the decision fusion: F1 of the first stream alone over the sum of both, measured on validation."""
    temperature: float = 0.5
    """Of the softmax over moments."""
    dropout: float = 0.5
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, batch: Batch, train: bool = False) -> Outputs:
        """The tasks, one row a window, and the weights of the modalities as `gates`."""
        one_of("model.fusion", self.fusion, FUSIONS)
        pairs = [self._stream(batch, stream, train) for stream in self.streams]
        moments = pairs[0][0].shape[1]
        pairs = [at_moments(x, present, moments) for x, present in pairs]
        states, present = (jnp.stack(each, axis=2) for each in zip(*pairs, strict=True))
        if self.fusion == "decision":
            return self._decide(states, present, train)
        gates = KeyFrames(self.temperature, name="key_frames")(states, present)
        x = states * gates[:, None, :, None].astype(self.dtype)
        x = hide(x.reshape(*x.shape[:2], -1), present.any(axis=-1))[:, :, None]
        real = present.any(axis=-1)[:, :, None]
        fused = DilatedFusion(self.width, self.dilations, (3, 1), self.dtype, name="fusion")(x, real, train)
        return self._head(fused[:, :, 0], present.any(axis=-1), train) | {"gates": gates}

    def _stream(self, batch: Batch, name: str, train: bool) -> tuple[Array, Array]:
        """To the common width, and through the attention of its kind."""
        x, present = take(batch, name)
        shape = batch[name].shape[2:]
        x = Linear(shape[-1], self.width, dtype=self.dtype, name=f"{name}_embed")(
            x.reshape(*present.shape, *shape)
        )
        if len(shape) == 3:
            maps = x.reshape(-1, *x.shape[2:])
            seen = MedianChannelSpatial(dtype=self.dtype, name=f"{name}_attention")(maps)
            return seen.mean((1, 2)).reshape(*present.shape, -1), present
        attention = GlobalChannelSpatial(
            size=(self.sound_taps, 1), dtype=self.dtype, name=f"{name}_attention"
        )
        x = x.reshape(*present.shape, -1, self.width).mean(axis=2)
        return attention(x[:, :, None], present[..., None], train)[:, :, 0], present

    def _head(self, x: Array, present: Array, train: bool, name: str = "heads") -> dict[str, Array]:
        pooled = nn.Dropout(self.dropout, deterministic=not train)(mean_over(x, present))
        return Heads(self.tasks, name=name)(pooled[:, None])

    def _decide(self, states: Array, present: Array, train: bool) -> dict[str, Array]:
        """Each modality by itself; their probabilities in proportion to how well each does alone."""
        if self.tasks != ("expr",):
            raise ValueError(f"model.fusion: 'decision' joins expressions alone, found tasks {self.tasks}")
        n, there = len(self.streams), present.any(axis=1)
        alone = [self._head(states[:, :, i], present[..., i], train, f"heads_{i}")["expr"] for i in range(n)]
        rest = (1 - self.face_share) / max(n - 1, 1)
        shares = jnp.where(there, jnp.array([self.face_share] + [rest] * (n - 1))[None], 0)
        total = shares.sum(axis=1, keepdims=True)
        gates = jnp.where(total > 0, shares / jnp.where(total > 0, total, 1), 1 / n)
        log_p = jax.nn.log_softmax(jnp.stack(alone, axis=2))
        log_gates = jnp.log(jnp.maximum(gates, 1e-9))[:, None, :, None]
        return {"expr": jax.nn.logsumexp(log_p + log_gates, axis=2), "gates": gates}
