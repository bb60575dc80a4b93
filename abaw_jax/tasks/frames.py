"""Row by row: valence and arousal, expressions, action units, or all three at once."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from abaw_jax import losses
from abaw_jax.labels import PARTS
from abaw_jax.nn.norms import STATISTICS
from abaw_jax.tasks.augment import NO_AUGMENT, Augment
from abaw_jax.tasks.task import Loss, Variables
from abaw_jax.tasks.words import Words
from abaw_jax.types import Batch, Outputs, mask_key

TURNS = {"va": lambda x: x, "expr": jax.nn.softmax, "au": jax.nn.sigmoid}
"""From what a model puts out to what a row table holds; affect is clipped when the table is finished."""
AUGMENTED = 1
"""Folded into the random key, so that what is done to a batch does not follow dropout."""


@dataclasses.dataclass(frozen=True)
class Stats:
    """What losses need to know of the training rows; kept in the checkpoint."""

    expr_counts: tuple[int, ...] = ()
    """Rows of each expression."""
    au_active: tuple[int, ...] = ()
    au_silent: tuple[int, ...] = ()
    """Rows in which each unit is, or is not, active."""
    centre: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    spread: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    """Of each stream's features, mean and deviation; a stream that is not there is left as it is."""
    words: tuple[tuple[float, ...], ...] = ()
    """What the text tower makes of each prompt of the config."""

    @classmethod
    def of(
        cls,
        labels: Sequence[Mapping[str, np.ndarray]],
        features: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
        words: np.ndarray | None = None,
    ) -> "Stats":
        """From every track's labels, mean and deviation of features, and vectors of prompts."""
        expr, active, silent = np.zeros(8, int), np.zeros(12, int), np.zeros(12, int)
        for track in labels:
            if "expr" in track:
                expr += np.bincount(track["expr"][track["expr_mask"]], minlength=8)
            if "au" in track:
                active += (track["au_mask"] & (track["au"] > 0)).sum(axis=0)
                silent += (track["au_mask"] & (track["au"] <= 0)).sum(axis=0)
        moments = [{n: tuple(pair[i].tolist()) for n, pair in (features or {}).items()} for i in (0, 1)]
        counts = (tuple(each.tolist()) for each in (expr, active, silent))
        return cls(*counts, *moments, () if words is None else tuple(map(tuple, words.tolist())))


@dataclasses.dataclass(frozen=True)
class FrameTask:
    """One model, one loss a part, one score that is better the larger it is."""

    name: str
    model: nn.Module
    settings: Mapping[str, Mapping[str, Any]]
    """Of each part, the keywords of its loss."""
    shares: Mapping[str, float]
    """Of each part, its weight in the sum."""
    stats: Stats = Stats()
    words: Words | None = None
    """What faces are held against in words, if anything."""
    augment: Augment = NO_AUGMENT
    """What is done to training batches."""

    @property
    def parts(self) -> tuple[str, ...]:
        return PARTS[self.name]

    @property
    def score(self) -> str:
        """The field of `evaluation.scores.Scores` that decides which checkpoint is best."""
        return self.name

    def init(self, rng: Array, batch: Batch) -> Variables:
        """Fresh variables; `batch` gives shapes and types alone."""
        return self.model.init(rng, self._standard(batch))

    def loss(self, variables: Variables, batch: Batch, rng: Array) -> Loss:
        """(what is minimised, what is shown of it, statistics of the batch)."""
        seen = self.augment(self._standard(batch), jax.random.fold_in(rng, AUGMENTED))
        outputs, kept = self.model.apply(
            variables, seen.batch, train=True, rngs={"dropout": rng}, mutable=[STATISTICS]
        )
        found = self._compared(outputs, seen.batch)
        if seen.partners is not None:
            other = self._compared(outputs, {**seen.batch, **seen.partners})
            found = {
                name: seen.share * value + (1 - seen.share) * other[name] for name, value in found.items()
            }
        shares = {**self.shares, "words": self.words.share if self.words else 0.0}
        whole = jnp.stack([shares[name] * value for name, value in found.items()]).sum()
        return whole, {f"loss/{name}": value for name, value in found.items()}, dict(kept) or None

    def predict(self, variables: Variables, batch: Batch) -> Outputs:
        """What a row table holds: affect, and probabilities."""
        outputs = self.model.apply(variables, self._standard(batch))
        return {part: TURNS[part](outputs[part]) for part in self.parts}

    def losses(self, variables: Variables, batch: Batch) -> dict[str, Array]:
        """Of each part, and of the words, as a model does that is not being trained."""
        return self._compared(self.model.apply(variables, self._standard(batch)), batch)

    def _compared(self, outputs: Outputs, batch: Batch) -> dict[str, Array]:
        """Each part's loss, and that of the words where there are some."""
        found = {part: self._of_part(part, outputs, batch) for part in self.parts}
        return found | ({"words": self.words.loss(outputs, batch)} if self.words else {})

    def _standard(self, batch: Batch) -> Batch:
        """Features by mean and deviation of the training rows."""
        moved = {}
        for name, centre in self.stats.centre.items():
            shape = (1,) * (batch[name].ndim - 1) + (-1,)
            mean, deviation = (np.float32(each).reshape(shape) for each in (centre, self.stats.spread[name]))
            moved[name] = (batch[name].astype(jnp.float32) - mean) / deviation
        return {**batch, **moved}

    def _of_part(self, part: str, outputs: Outputs, batch: Batch) -> Array:
        settings = dict(self.settings[part])
        if (found := outputs[part].shape[1]) != (wanted := batch[part].shape[1]):
            raise ValueError(
                f"window.targets: the model predicts {found} rows of a window, expected {wanted}"
            )
        if part == "expr":
            rule = settings.pop("class_weights")
            settings["class_weights"] = losses.class_weights(np.array(self.stats.expr_counts), rule)
        if part == "au":
            active, silent = np.array(self.stats.au_active), np.array(self.stats.au_silent)
            settings["positive_weights"] = losses.positive_weights(
                active, silent, settings.pop("positive_weights")
            )
            by_count = losses.class_weights(active, settings.pop("class_weights"))
            by_count = np.where(active > 0, by_count, 1)  # of units that are never active silence is learnt
            settings["weights"] = np.array(settings["weights"] or by_count, np.float32)
        function = {"va": losses.va_loss, "expr": losses.expr_loss, "au": losses.au_loss}[part]
        return function(outputs[part], batch[part], batch[mask_key(part)], **settings)
