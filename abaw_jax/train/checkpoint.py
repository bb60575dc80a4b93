"""States on disk through Orbax, each with a checksum of its own: Orbax does not notice a flipped byte.

A damaged newest checkpoint is told of, set aside, and the one before it used. The last two are always kept,
so that there is one before it.
"""

import contextlib
import dataclasses
import errno
import itertools
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from orbax.checkpoint.checkpoint_managers import preservation_policy

from abaw_jax.store.spec import differences
from abaw_jax.train.state import State

LATEST = 2
DAMAGED = "damaged-"
SHOWN = 3


class UnusableCheckpoint(ValueError):
    """A checkpoint that cannot be read, or is of something else."""


class UnwrittenCheckpoint(OSError):
    """A checkpoint that the disk did not take; those before it are as they were."""


class AnotherModel(UnusableCheckpoint):
    """A sound checkpoint whose arrays are not those of this config: nothing to fall back from."""


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
        best = preservation_policy.BestN(get_metric_fn=_rank, n=keep_best)
        kept = preservation_policy.AnyPreservationPolicy([preservation_policy.LatestN(LATEST), best])
        options = ocp.CheckpointManagerOptions(preservation_policy=kept, best_fn=_rank)
        self._manager = ocp.CheckpointManager(self.folder, options=options)

    def save(self, state: State, notes: dict[str, Any], score: float) -> None:
        """In the background; `notes` are JSON."""
        step = int(state.step)
        notes = notes | {"checksum": int(checksum(state)), "arrays": layout_of(state)}
        items = ocp.args.Composite(state=ocp.args.StandardSave(state), notes=ocp.args.JsonSave(notes))
        with self._told():  # what is raised here may be of the one before
            with tempfile.TemporaryFile(dir=self.folder):
                pass  # refused in the background, a write would leave a thread that never ends
            is_new = self._manager.save(step, args=items, metrics={"score": score, "step": step})
        if not is_new:
            raise UnusableCheckpoint(f"{self.folder}: found step {step} there already, expected a later one")

    def latest(self, target: State) -> Restored | None:
        """The newest sound one in the shapes and shardings of `target`; None where there is none at all."""
        steps = sorted(self._manager.all_steps(), reverse=True)
        damaged: list[UnusableCheckpoint] = []
        for step in steps:
            try:
                found = self.read(step, target)
            except AnotherModel:
                raise
            except UnusableCheckpoint as error:
                logging.warning("%s; using the one before it", error)
                damaged.append(error)
                continue
            for unsound in steps[: len(damaged)]:
                self._set_aside(unsound)
            return found
        if damaged:
            raise UnusableCheckpoint(
                f"{damaged[0]}; and no other is sound: remove {self.folder} to begin anew"
            )
        return None

    def read(self, step: int, target: State) -> Restored:
        """One step's; every array is compared with its checksum."""
        path = self.folder / str(step)
        notes = self.notes(step)
        if different := list(differences(notes["arrays"], layout_of(target))):
            raise AnotherModel(f"{path}: of another model: {'; '.join(different[:SHOWN])}")
        state = self._restore(step, state=ocp.args.StandardRestore(target)).state
        if (computed := int(checksum(state))) != notes["checksum"]:
            raise UnusableCheckpoint(
                f"{path}: found checksum {computed:08x}, expected {notes['checksum']:08x}: bytes have changed"
            )
        return Restored(step, state, notes)

    def notes(self, step: int) -> dict[str, Any]:
        """What was written beside a step's arrays."""
        return self._restore(step, notes=ocp.args.JsonRestore()).notes

    def steps(self) -> list[int]:
        """Those there are."""
        return sorted(self._manager.all_steps())

    def close(self) -> None:
        """Wait for what is being written."""
        try:
            with self._told():
                self._manager.wait_until_finished()
        finally:
            self._manager.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever Orbax, tensorstore or the disk say
            there = sorted(int(path.name) for path in self.folder.iterdir() if path.name.isdecimal())
            kept = f"the newest one that is whole is of step {there[-1]}" if there else "none is there yet"
            raise UnwrittenCheckpoint(f"{self.folder}: not written: {_reason(error)}; {kept}") from error

    def _restore(self, step: int, **items: Any) -> Any:
        try:
            return self._manager.restore(step, args=ocp.args.Composite(**items))
        except Exception as error:  # whatever Orbax, tensorstore or the disk say
            raise UnusableCheckpoint(f"{self.folder / str(step)}: {_first_line(error)}") from error

    def _set_aside(self, step: int) -> None:
        if jax.process_index() == 0:
            names = (f"{DAMAGED}{step}{f'.{n}' if n else ''}" for n in itertools.count())
            free = next(name for name in names if not (self.folder / name).exists())
            (self.folder / str(step)).rename(self.folder / free)
        multihost_utils.sync_global_devices("a damaged checkpoint is set aside")
        self._manager.reload()


def _rank(metrics: dict[str, float]) -> tuple[float, float]:
    """Of equal scores the earlier one is better, as in the history."""
    return metrics["score"], -metrics["step"]


def layout_of(state: Any) -> dict[str, str]:
    """Every array's shape and type by its name."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in leaves
    }


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _reason(error: Exception) -> str:
    """The system's own words, where they stand in what libraries made of them."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM):
        if os.strerror(number) in str(error):
            return os.strerror(number)
    return _first_line(error)


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
