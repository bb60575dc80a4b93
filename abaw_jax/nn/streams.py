"""Streams of a batch on their way into a model, and what comes out for each task."""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.labels import WIDTHS
from abaw_jax.nn.linear import Linear
from abaw_jax.nn.masking import hide
from abaw_jax.types import Batch, present_key


def take(batch: Batch, stream: str) -> tuple[Float[Array, "b n d"], Bool[Array, "b n"]]:
    """(vectors in float32, zeros where absent; which are present); a batch without it is an error."""
    if missing := [key for key in (stream, present_key(stream)) if key not in batch]:
        raise ValueError(f"the batch lacks {', '.join(missing)}; it has: {', '.join(sorted(batch))}")
    present = batch[present_key(stream)]
    x = batch[stream].reshape(*present.shape, -1)
    return hide(x, present).astype(jnp.float32), present


def take_joined(batch: Batch, streams: Sequence[str]) -> tuple[Float[Array, "b n d"], Bool[Array, "b n"]]:
    """Streams of the same rows side by side; present where any is."""
    taken = [take(batch, stream) for stream in streams]
    lengths = {stream: x.shape[1] for stream, (x, _) in zip(streams, taken, strict=True)}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"found streams of different lengths, expected the same rows of all: {lengths}")
    present = jnp.stack([present for _, present in taken]).any(axis=0)
    return jnp.concatenate([x for x, _ in taken], axis=-1), present


def bounded(out: dict[str, Array]) -> dict[str, Array]:
    """Affect within [-1, 1]."""
    return out | ({"va": jnp.tanh(out["va"])} if "va" in out else {})


class Heads(nn.Module):
    """A linear map for each task, in float32: affect as it comes, the others as logits."""

    tasks: Sequence[str]

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"]) -> dict[str, Array]:
        return {task: Linear(x.shape[-1], WIDTHS[task], name=task)(x) for task in self.tasks}
