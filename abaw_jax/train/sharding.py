"""Where arrays lie: a mesh from the config, batches cut over it, parameters by a table of names."""

import re
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from abaw_jax.problems import one_of

TACTICS = ("replicate", "fsdp")
SMALLEST = 1024
"""Numbers of an array below which cutting it costs more than it saves."""
DATA = "data"


def make_mesh() -> Mesh:
    """All devices of all processes in a row."""
    return jax.make_mesh((jax.device_count(),), (DATA,), axis_types=(AxisType.Auto,))


def over_batch(mesh: Mesh, axis: int = 0) -> NamedSharding:
    """Rows of a batch over the devices."""
    return NamedSharding(mesh, PartitionSpec(*(None,) * axis, DATA))


def everywhere(mesh: Mesh) -> NamedSharding:
    """The same on every device."""
    return NamedSharding(mesh, PartitionSpec())


def place_state(state: Any, mesh: Mesh, table: Sequence[tuple[str, str]]) -> Any:
    """The sharding of every leaf of a state (or of its shapes); the first pattern that is found decides."""

    def place(path, leaf) -> NamedSharding:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        tactic = next((tactic for pattern, tactic in table if re.search(pattern, name)), "replicate")
        is_cut = one_of("train.sharding", tactic, TACTICS) == "fsdp"
        return NamedSharding(mesh, _cut(leaf.shape, mesh.size) if is_cut else PartitionSpec())

    return jax.tree_util.tree_map_with_path(place, state)


def _cut(shape: tuple[int, ...], devices: int) -> PartitionSpec:
    """Along the largest axis that divides."""
    fits = [axis for axis, size in enumerate(shape) if size % devices == 0]
    if not fits or np.prod(shape) < SMALLEST:
        return PartitionSpec()
    largest = max(fits, key=lambda axis: shape[axis])
    return PartitionSpec(*(DATA if axis == largest else None for axis in range(len(shape))))


def put_batch(batch: dict[str, np.ndarray], sharding: NamedSharding) -> dict[str, jax.Array]:
    """The rows of a batch that this process read, as part of the global one."""
    return {key: put(value, sharding) for key, value in batch.items()}


def put(value: np.ndarray, sharding: NamedSharding) -> jax.Array:
    """What this process has of a global array: its rows, or all of one that is everywhere."""
    return jax.make_array_from_process_local_data(sharding, value)


class Agreement:
    """A word that any process may say, heard by all of them at the same step: the one after."""

    def __init__(self, mesh: Mesh) -> None:
        self._places, self._local = over_batch(mesh), jax.local_device_count()
        self._any = jax.jit(jnp.max, out_shardings=everywhere(mesh))
        self._said: jax.Array | None = None

    def say(self, word: bool) -> None:
        """At every step, by every process."""
        self._said = self._any(put(np.full(self._local, word, np.int32), self._places))

    def heard(self) -> bool:
        """Whether anybody said it at the last step."""
        return self._said is not None and bool(np.asarray(self._said))
