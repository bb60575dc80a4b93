"""Everything that the trainer does not know: what is minimised, and which score decides."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from abaw_jax.types import Array, Batch, Outputs

Variables = Mapping[str, Any]
Loss = tuple[Array, dict[str, Array], Any]
"""The last is what variables hold beside parameters, as statistics of batches; None where there are none."""


@runtime_checkable
class Task(Protocol):
    """A model with its loss; batches are whatever the two agree on."""

    name: str
    stats: Any
    """A dataclass: what it has to know of the training rows, kept in the checkpoint."""

    @property
    def score(self) -> str:
        """The name of the score that decides which checkpoint is best, the larger the better."""
        ...

    def init(self, rng: Array, batch: Batch) -> Variables:
        """Fresh variables; `batch` gives shapes and types alone."""
        ...

    def loss(self, variables: Variables, batch: Batch, rng: Array) -> Loss:
        """(what is minimised, what is shown of it, what the model keeps of the batch)."""
        ...

    def predict(self, variables: Variables, batch: Batch) -> Outputs:
        """What is scored."""
        ...


@dataclasses.dataclass(frozen=True)
class NoStats:
    """Nothing has to be known of the training rows."""


NO_STATS = NoStats()
