"""Batches on their way to the devices: read ahead in threads by grain, each process its own rows.

The loader's state is the step: begun at a step, it gives what an unbroken run gives from there on.
"""

import dataclasses
from collections.abc import Callable, Iterator

import grain
import numpy as np

from abaw_jax.inputs.order import Order, share
from abaw_jax.inputs.plan import WindowPlan
from abaw_jax.inputs.source import Source
from abaw_jax.types import Batch

READ_AHEAD = 2
"""Batches ready before they are asked for; more costs memory and, beside a step on shared cores, speed."""


@dataclasses.dataclass(frozen=True)
class Loader:
    """One plan, in the order of training."""

    source: Source
    plan: WindowPlan
    order: Order
    process: int = 0
    processes: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        share(self.order.batch_size, self.process, self.processes)

    def batch(self, step: int) -> Batch:
        """The rows of a step's batch that this process reads."""
        windows = self.order.batch(step)
        return self.source.read(self.plan, windows[share(len(windows), self.process, self.processes)])

    def from_step(self, first: int, stop: int) -> Iterator[Batch]:
        """The batches of steps `first` to `stop`, in their order, whatever the number of threads."""
        return iter(_ahead(self.batch, range(first, stop), self.threads))


def evaluation_batches(
    source: Source, plan: WindowPlan, batch_size: int, process: int = 0, processes: int = 1, threads: int = 1
) -> Iterator[Batch]:
    """Every window once, in the plan's order; `is_real` is False for what fills up the last batch."""
    each = share(batch_size, process, processes)
    total = -(-len(plan) // batch_size)

    def batch(number: int) -> Batch:
        places = np.arange(number * batch_size, (number + 1) * batch_size)[each]
        read = source.read(plan, np.minimum(places, len(plan) - 1))
        return dict(read) | {"is_real": places < len(plan)}

    return iter(_ahead(batch, range(total), threads))


def _ahead(batch: Callable[[int], Batch], steps: range, threads: int) -> grain.IterDataset:
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=READ_AHEAD if threads else 0)
    numbers = grain.MapDataset.range(steps.start, steps.stop)
    return numbers.map(batch).to_iter_dataset(options)
