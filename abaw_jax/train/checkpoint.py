"""States on disk through Orbax, each with a checksum of its own: Orbax does not notice a flipped byte.

A damaged newest checkpoint is told of, set aside, and the one before it used. The last two are always kept,
so that there is one before it.
"""

import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from abaw_jax.train.state import State

LATEST = 2
DAMAGED = "damaged-"


class UnusableCheckpoint(ValueError):
    """A checkpoint that cannot be read, or is of something else."""


@dataclasses.dataclass(frozen=True)
class Restored:
    """A state and what was written beside it."""

    step: int
    state: State
    notes: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, folder: Path, keep_best: int) -> None:
        self.folder = folder.absolute()
        best = preservation_policy.BestN(get_metric_fn=lambda m: m["score"], n=keep_best)
        kept = preservation_policy.AnyPreservationPolicy([preservation_policy.LatestN(LATEST), best])
        options = ocp.CheckpointManagerOptions(preservation_policy=kept, best_fn=lambda m: m["score"])
        self._manager = ocp.CheckpointManager(self.folder, options=options)

    def save(self, state: State, notes: dict[str, Any], score: float) -> None:
        """In the background; `notes` are JSON."""
        step = int(state.step)
        notes = notes | {"checksum": int(checksum(state))}
        items = ocp.args.Composite(state=ocp.args.StandardSave(state), notes=ocp.args.JsonSave(notes))
        if not self._manager.save(step, args=items, metrics={"score": score}):
            raise UnusableCheckpoint(f"{self.folder}: found step {step} there already, expected a later one")

    def latest(self, target: State) -> Restored | None:
        """The newest sound one in the shapes and shardings of `target`; None where there is none at all."""
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                return self.read(step, target)
            except UnusableCheckpoint as error:
                logging.warning("%s; using the one before it", error)
                self._set_aside(step)
        return None

    def read(self, step: int, target: State) -> Restored:
        """One step's; every array is compared with its checksum."""
        try:
            items = ocp.args.Composite(state=ocp.args.StandardRestore(target), notes=ocp.args.JsonRestore())
            found = self._manager.restore(step, args=items)
        except Exception as error:  # whatever Orbax, tensorstore or the disk say
            raise UnusableCheckpoint(f"{self.folder / str(step)}: {_first_line(error)}") from error
        computed = int(checksum(found.state))
        if computed != found.notes["checksum"]:
            raise UnusableCheckpoint(
                f"{self.folder / str(step)}: found checksum {computed:08x}, "
                f"expected {found.notes['checksum']:08x}: its bytes have changed"
            )
        return Restored(step, found.state, found.notes)

    def steps(self) -> list[int]:
        """Those there are."""
        return sorted(self._manager.all_steps())

    def close(self) -> None:
        """Wait for what is being written."""
        self._manager.wait_until_finished()
        self._manager.close()

    def _set_aside(self, step: int) -> None:
        (self.folder / str(step)).rename(self.folder / f"{DAMAGED}{step}")
        self._manager.reload()


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


@jax.jit
def checksum(tree: Any) -> jax.Array:
    """Of every bit of every array, the same on any number of devices: whole numbers add up in any order."""
    total = jnp.zeros((), jnp.uint32)
    for number, leaf in enumerate(jax.tree.leaves(tree)):
        words = _as_words(leaf)
        places = jnp.arange(words.size, dtype=jnp.uint32).reshape(words.shape)
        weights = (places * jnp.uint32(2654435761) + jnp.uint32(2 * number + 1)) | jnp.uint32(1)
        total = total * jnp.uint32(31) + (words * weights).sum(dtype=jnp.uint32)
    return total


def _as_words(leaf: jax.Array) -> jax.Array:
    if leaf.dtype == bool:
        return leaf.astype(jnp.uint32)
    kinds = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32}
    return jax.lax.bitcast_convert_type(leaf, kinds[leaf.dtype.itemsize]).astype(jnp.uint32)


def as_target(shapes: State, shardings: State) -> State:
    """Abstract arrays that say what to restore, and to where."""
    return jax.tree.map(
        lambda leaf, place: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), shapes, shardings
    )


def arrays_of(tree: Any) -> Iterator[np.ndarray]:
    """Every array, on the host."""
    return (np.asarray(leaf) for leaf in jax.tree.leaves(tree))
