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
from abaw_jax.tasks.task import Variables
from abaw_jax.types import Batch, Outputs, mask_key

PARTS = {"va": ("va",), "expr": ("expr",), "au": ("au",), "mtl": ("va", "expr", "au")}
"""Task of a config ▶ what is predicted."""


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

    @classmethod
    def of(
        cls,
        labels: Sequence[Mapping[str, np.ndarray]],
        features: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    ) -> "Stats":
        """From every track's labels, and mean and deviation of features."""
        expr, active, silent = np.zeros(8, int), np.zeros(12, int), np.zeros(12, int)
        for track in labels:
            if "expr" in track:
                expr += np.bincount(track["expr"][track["expr_mask"]], minlength=8)
            if "au" in track:
                active += (track["au_mask"] & (track["au"] > 0)).sum(axis=0)
                silent += (track["au_mask"] & (track["au"] <= 0)).sum(axis=0)
        moments = [{n: tuple(pair[i].tolist()) for n, pair in (features or {}).items()} for i in (0, 1)]
        return cls(*(tuple(counts.tolist()) for counts in (expr, active, silent)), *moments)


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

    def loss(self, variables: Variables, batch: Batch, rng: Array) -> tuple[Array, dict[str, Array]]:
        """(what is minimised, what is shown of it)."""
        outputs = self.model.apply(variables, self._standard(batch), train=True, rngs={"dropout": rng})
        found = {part: self._of_part(part, outputs, batch) for part in self.parts}
        whole = jnp.stack([self.shares[part] * value for part, value in found.items()]).sum()
        return whole, {f"loss/{part}": value for part, value in found.items()}

    def predict(self, variables: Variables, batch: Batch) -> Outputs:
        """What a row table holds: affect, and probabilities."""
        outputs = self.model.apply(variables, self._standard(batch))
        turn = {"va": lambda x: x, "expr": jax.nn.softmax, "au": jax.nn.sigmoid}
        return {part: turn[part](outputs[part]) for part in self.parts}

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
        if part == "expr":
            rule = settings.pop("class_weights")
            settings["class_weights"] = losses.class_weights(np.array(self.stats.expr_counts), rule)
        if part == "au":
            rule = settings.pop("positive_weights")
            counts = np.array(self.stats.au_active), np.array(self.stats.au_silent)
            settings["positive_weights"] = losses.positive_weights(*counts, rule)
        function = {"va": losses.va_loss, "expr": losses.expr_loss, "au": losses.au_loss}[part]
        return function(outputs[part], batch[part], batch[mask_key(part)], **settings)
