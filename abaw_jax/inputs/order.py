"""Which windows make the batch of a step: a function of the seed and the step alone.

Not of the number of hosts, devices or threads, nor of what ran before: the loader's whole state is the step.
"""

import dataclasses
import functools

import numpy as np
from jaxtyping import Int


@functools.lru_cache(maxsize=8)
def permutation(seed: int, epoch: int, count: int) -> Int[np.ndarray, " n"]:
    """The order of an epoch."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(count)


@dataclasses.dataclass(frozen=True)
class Order:
    """Batches over one plan, epoch after epoch; one that crosses an epoch's edge takes from both."""

    windows: int
    batch_size: int
    seed: int

    def __post_init__(self) -> None:
        if self.windows < 1:
            raise ValueError("found no window to train on, expected at least one with a label")

    def batch(self, step: int) -> Int[np.ndarray, " b"]:
        """The windows of a step, which counts from 0."""
        places = step * self.batch_size + np.arange(self.batch_size)
        epochs, within = np.divmod(places, self.windows)
        chosen = np.empty(self.batch_size, np.int64)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            chosen[here] = permutation(self.seed, epoch, self.windows)[within[here]]
        return chosen


def share(rows: int, process: int, processes: int) -> slice:
    """The contiguous part of a global batch that a process reads."""
    if rows % processes:
        raise ValueError(f"a batch of {rows} does not divide over {processes} processes")
    each = rows // processes
    return slice(process * each, (process + 1) * each)
