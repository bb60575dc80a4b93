"""The flagship: streams of features heard over time, by themselves and by each other, fused row by row."""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Shaped

from abaw_jax.labels import WIDTHS
from abaw_jax.nn.fusion import GatedFusion
from abaw_jax.nn.linear import Linear
from abaw_jax.nn.masking import drop_streams, hide
from abaw_jax.nn.stem import ConvStem
from abaw_jax.nn.streams import bounded
from abaw_jax.nn.transformer import MLP, TransformerLayer
from abaw_jax.types import Batch, DType, Outputs, present_key

SHARED_LAYERS = 1  # default, not from any paper


class TemporalFusion(nn.Module):
    """Any streams of one vector a row in, the named tasks row by row out; any length, any stream absent.

    Nobody hears a row of a stream that is absent, and its state counts only where no stream is present. All
    defaults are ours, not from any paper.
    """

    streams: tuple[str, ...] = ("video", "audio")
    tasks: tuple[str, ...] = ("va",)
    width: int = 128
    layers: int = 2
    heads: int = 4
    stem_taps: int = 5
    dropout: float = 0.1
    modality_dropout: float = 0.1
    is_causal: bool = False
    max_distance: int = 64
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, batch: Batch, train: bool = False) -> Outputs:
        """The tasks, the sequence that their heads read as `fused`, and each stream's weight as `gates`."""
        self._check(batch)
        layer = partial(
            TransformerLayer, self.heads, self.max_distance, self.is_causal, self.dropout, self.dtype
        )
        present = jnp.stack([batch[present_key(stream)] for stream in self.streams], axis=-1)
        if train and self.modality_dropout > 0:
            present = drop_streams(self.make_rng("dropout"), present, self.modality_dropout)
        alone = partial(Stream, self.width, self.layers, self.stem_taps, self.is_causal, layer, self.dtype)
        states = [
            alone(name=f"{stream}_alone")(batch[stream], present[..., i], train)
            for i, stream in enumerate(self.streams)
        ]
        if len(states) > 1:
            states = [
                layer(name=f"{stream}_cross")(x, *others(states, present, i), train)
                for i, (stream, x) in enumerate(zip(self.streams, states, strict=True))
            ]
        fused, gates = GatedFusion(self.dtype, name="fusion")(jnp.stack(states, axis=2), present)
        for i in range(SHARED_LAYERS):
            fused = layer(name=f"shared_{i}")(fused, present.any(axis=-1), train=train)
        fused = nn.LayerNorm(dtype=self.dtype, name="fused_norm")(fused)
        return self._heads(fused) | {"fused": fused.astype(jnp.float32), "gates": gates}

    def _heads(self, fused: Float[Array, "b t d"]) -> dict[str, Array]:
        """Each task in float32: VA in [-1, 1], the others as logits."""
        heads = {task: MLP(self.width, WIDTHS[task], self.dtype, name=f"{task}_head") for task in self.tasks}
        out = {task: head(fused).astype(jnp.float32) for task, head in heads.items()}
        return bounded(out)

    def _check(self, batch: Batch) -> None:
        """A setting that cannot be, or a stream that the batch lacks, is named with what there is."""
        unknown = [task for task in self.tasks if task not in WIDTHS]
        if unknown or not self.tasks:
            raise ValueError(f"found tasks {self.tasks}; expected one or more of: {', '.join(WIDTHS)}")
        if not self.streams or self.width % self.heads:
            raise ValueError(
                f"found {self.streams=}, {self.width=}, {self.heads=}; expected streams, whole heads"
            )
        keys = [key for stream in self.streams for key in (stream, present_key(stream))]
        if missing := [key for key in keys if key not in batch]:
            raise ValueError(f"the batch lacks {', '.join(missing)}; it has: {', '.join(sorted(batch))}")


class Stream(nn.Module):
    """One stream by itself: to the common width, a learned vector where it is absent, stem, transformer."""

    width: int
    layers: int
    stem_taps: int
    is_causal: bool
    layer: Callable[..., nn.Module]
    dtype: DType

    @nn.compact
    def __call__(
        self, x: Shaped[Array, "b t *d"], present: Bool[Array, "b t"], train: bool
    ) -> Float[Array, "b t w"]:
        x = hide(x.reshape(*x.shape[:2], -1), present).astype(jnp.float32)
        # The fast variance loses its digits where features sit far from zero.
        x = nn.LayerNorm(use_fast_variance=False, name="norm")(x)
        x = Linear(x.shape[-1], self.width, dtype=self.dtype, name="embed")(x)
        absent = self.param("absent", nn.initializers.normal(0.02), (self.width,)).astype(self.dtype)
        x = hide(x, present, absent[None, None])
        x = ConvStem(self.stem_taps, self.is_causal, self.dtype, name="stem")(x, present)
        for i in range(self.layers):
            x = self.layer(name=f"layer_{i}")(x, present, train=train)
        return x


def others(
    states: list[Float[Array, "b t d"]], present: Bool[Array, "b t n"], own: int
) -> tuple[Bool[Array, "b k"], Float[Array, "b k d"]]:
    """All streams but one, end to end: which rows are present, and the rows."""
    rest = [i for i in range(len(states)) if i != own]
    return (
        jnp.concatenate([present[..., i] for i in rest], axis=1),
        jnp.concatenate([states[i] for i in rest], axis=1),
    )
