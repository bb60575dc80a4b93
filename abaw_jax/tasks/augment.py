"""What is done to cached features while a model learns: all of it off unless a config asks.

Inside the compiled step, so that streamed, resident and packaged features are treated alike, and a step's
luck follows from seed and step alone.
"""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from abaw_jax.labels import WIDTHS
from abaw_jax.nn.masking import streams_left
from abaw_jax.types import Batch, mask_key, present_key


class Augmented(NamedTuple):
    """A batch; of mixed ones also the labels of each window's partner, and the share that is its own."""

    batch: Batch
    partners: Mapping[str, Array] | None = None
    share: Array | float = 1.0


@dataclasses.dataclass(frozen=True)
class Augment:
    """Of the named streams; `sounds` are those whose bands may be masked."""

    streams: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ()
    noise: float = 0.0
    warp: float = 0.0
    mixup: float = 0.0
    modality_dropout: float = 0.0
    bands: int = 0

    def __call__(self, batch: Batch, rng: Array) -> Augmented:
        """What is asked for, in this order: warp, bands, noise, lost streams, mixture."""
        keys = iter(jax.random.split(rng, 4 + len(self.streams)))
        out = dict(batch)
        if self.warp:
            out |= self._warped(out, next(keys))
        if self.bands:
            lost = next(keys)
            for number, name in enumerate(self.sounds):
                out[name] = without_band(jax.random.fold_in(lost, number), out[name], self.bands)
        if self.noise:
            for name in self.streams:
                noise = jax.random.normal(next(keys), out[name].shape)
                out[name] = out[name].astype(jnp.float32) + self.noise * noise
        if self.modality_dropout and len(self.streams) > 1:
            out |= self._thinned(out, next(keys))
        return self._mixed(out, next(keys)) if self.mixup else Augmented(out)

    def _warped(self, batch: Batch, rng: Array) -> dict[str, Array]:
        """Every stream and every label, at the same relative times."""
        size = len(batch[self.streams[0]])
        middle, moved = jax.random.uniform(rng, (2, size))
        middle = 0.25 + 0.5 * middle
        moved = middle + self.warp * (2 * moved - 1) * jnp.minimum(middle, 1 - middle)
        keys = [key for name in self.streams for key in (name, present_key(name))]
        keys += [key for task in WIDTHS if task in batch for key in (task, mask_key(task))]
        return {key: warped(batch[key], middle, moved) for key in keys}

    def _thinned(self, batch: Batch, rng: Array) -> dict[str, Array]:
        """Whole streams absent, never the last that a window has."""
        present = [batch[present_key(name)] for name in self.streams]
        stays = streams_left(rng, jnp.stack([p.any(axis=1) for p in present], axis=1), self.modality_dropout)
        return {present_key(name): present[i] & stays[:, i][:, None] for i, name in enumerate(self.streams)}

    def _mixed(self, batch: Batch, rng: Array) -> Augmented:
        """Features of each window and its partner; where the partner's are absent, the window's own."""
        share = jax.random.beta(jax.random.fold_in(rng, 0), self.mixup, self.mixup)
        tasks = [task for task in WIDTHS if task in batch]
        has = [batch[mask_key(task)].reshape(len(batch[task]), -1).any(axis=1) for task in tasks]
        partner = partners(jax.random.fold_in(rng, 1), jnp.stack(has, axis=1))
        out = dict(batch)
        for name in self.streams:
            x, key = batch[name].astype(jnp.float32), present_key(name)
            both = batch[key] & batch[key][partner]
            mixed = share * x + (1 - share) * x[partner]
            out[name] = jnp.where(both.reshape(*both.shape, *(1,) * (x.ndim - 2)), mixed, x)
        labels = {key: batch[key][partner] for task in tasks for key in (task, mask_key(task))}
        return Augmented(out, labels, share)


NO_AUGMENT = Augment()


def warped(x: Array, middle: Float[Array, " b"], moved: Float[Array, " b"]) -> Array:
    """Entries along axis 1 as they are at other times: `moved` is now at `middle`, and the ends stay."""
    n = x.shape[1]
    at = (jnp.arange(n) / max(n - 1, 1))[None]
    middle, moved = middle[:, None], moved[:, None]
    before, after = at * moved / middle, 1 - (1 - at) * (1 - moved) / (1 - middle)
    index = jnp.round(jnp.where(at < middle, before, after) * (n - 1)).astype(jnp.int32)
    return jnp.take_along_axis(x, index.reshape(*index.shape, *(1,) * (x.ndim - 2)), axis=1)


def without_band(rng: Array, x: Float[Array, "b n *s d"], most: int) -> Array:
    """Up to `most` neighbouring numbers of every vector are zeros, the same ones all through a window."""
    width = jax.random.randint(jax.random.fold_in(rng, 0), (len(x), 1), 0, most + 1)
    first = jax.random.randint(jax.random.fold_in(rng, 1), (len(x), 1), 0, x.shape[-1] - width + 1)
    number = jnp.arange(x.shape[-1])[None]
    lost = (number >= first) & (number < first + width)
    return jnp.where(lost.reshape(len(x), *(1,) * (x.ndim - 2), -1), jnp.zeros((), x.dtype), x)


def partners(rng: Array, has: Bool[Array, "b n"]) -> Int[Array, " b"]:
    """For each window another one that has labels of the same tasks; itself where there is none."""
    kind = (has * 2 ** jnp.arange(has.shape[1])[None]).sum(axis=1)
    order = jnp.lexsort((jax.random.uniform(rng, kind.shape), kind))
    kinds, after = kind[order], jnp.roll(order, -1)
    first = order[jnp.searchsorted(kinds, kinds)]  # of the same kind: the last one's partner
    chosen = jnp.where(kinds == kind[after], after, first)
    return jnp.zeros_like(order).at[order].set(chosen)
