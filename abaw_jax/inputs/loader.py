"""Batches on their way to the devices: read ahead in threads by grain, each process its own rows.

The loader's state is the step: begun at a step, it gives what an unbroken run gives from there on.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import grain
import numpy as np
from jaxtyping import Int

from abaw_jax.inputs.order import Order, share
from abaw_jax.types import Batch

READ_AHEAD = 2
"""Batches ready before they are asked for; more costs memory and, beside a step on shared cores, speed."""


@runtime_checkable
class Readable(Protocol):
    """Whatever makes a batch of windows."""

    def read(self, plan: Any, windows: Int[np.ndarray, " k"]) -> Batch: ...


@runtime_checkable
class Listed(Protocol):
    """Windows that can be counted; those of tracks name them."""

    tracks: tuple[str, ...]

    def __len__(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class Pool:
    """Windows to train on, in an order of their own; `order.batch_size` rows of every batch are theirs."""

    source: Readable
    plan: Listed
    order: Order


@dataclasses.dataclass(frozen=True)
class Loader:
    """Batches of one pool, or of several by fixed quotas: one pool's rows behind another's."""

    pools: Sequence[Pool]
    process: int = 0
    processes: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        share(self.batch_size, self.process, self.processes)

    @property
    def batch_size(self) -> int:
        """Rows of a global batch."""
        return sum(pool.order.batch_size for pool in self.pools)

    @functools.cached_property
    def tracks(self) -> tuple[str, ...]:
        """Names by the numbers that a batch calls `track`."""
        return tuple(name for pool in self.pools for name in pool.plan.tracks)

    def batch(self, step: int) -> Batch:
        """The rows of a step's batch that this process reads."""
        mine = share(self.batch_size, self.process, self.processes)
        return self._read(step, mine)

    def windows(self, first: int, stop: int) -> Int[np.ndarray, "k b"]:
        """Of each step the windows that this process would read, where there is one pool."""
        (pool,) = self.pools
        mine = share(self.batch_size, self.process, self.processes)
        return np.stack([pool.order.batch(step)[mine] for step in range(first, stop)]).astype(np.int32)

    def rows(self, step: int) -> list[str]:
        """What the whole batch of a step is made of, for people: `video3, rows 97 to 288`."""
        batch = self._read(step, slice(0, self.batch_size))
        return [
            f"{self.tracks[track]}, rows {rows[rows >= 0].min() + 1} to {rows.max() + 1}"
            for track, rows in zip(batch["track"], batch["row"], strict=True)
        ]

    def from_step(self, first: int, stop: int) -> Iterator[Batch]:
        """The batches of steps `first` to `stop`, in their order, whatever the number of threads."""
        return iter(_ahead(self.batch, range(first, stop), self.threads))

    def _read(self, step: int, wanted: slice) -> Batch:
        pieces, first_row, first_track = [], 0, 0
        for pool in self.pools:
            windows = pool.order.batch(step)
            here = windows[max(0, wanted.start - first_row) : max(0, wanted.stop - first_row)]
            if len(here):
                piece = dict(pool.source.read(pool.plan, here))
                pieces.append(piece | {"track": piece["track"] + np.int32(first_track)})
            first_row, first_track = first_row + len(windows), first_track + len(pool.plan.tracks)
        if len(pieces) == 1:
            return pieces[0]
        return {key: np.concatenate([piece[key] for piece in pieces]) for key in pieces[0]}


def evaluation_batches(
    source: Readable, plan: Listed, batch_size: int, process: int = 0, processes: int = 1, threads: int = 1
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
