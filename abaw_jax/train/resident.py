"""Features that stay on the devices: windows are gathered inside the compiled step, as the host would."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from abaw_jax.inputs.plan import Picks, WindowPlan
from abaw_jax.inputs.source import Joined, Source
from abaw_jax.types import Array, Batch, present_key


@flax.struct.dataclass
class Reader:
    """`inputs.plan.Picks` on the device."""

    start: Array
    steps: Array
    group: Array
    length: Array
    is_clamped: bool = flax.struct.field(pytree_node=False)

    @classmethod
    def of(cls, picks: Picks) -> "Reader":
        return cls(picks.start, picks.steps, picks.group, picks.length, picks.is_clamped)

    def pick(self, windows: Array) -> tuple[Array, Array]:
        """As `Picks.of`."""
        index = self.start[windows, None] + self.steps[self.group[windows]]
        last = self.length[windows, None] - 1
        inside = (index >= 0) & (index <= last)
        if self.is_clamped:
            inside = jnp.broadcast_to(last >= 0, index.shape)
        return jnp.clip(index, 0, jnp.maximum(last, 0)), inside


@flax.struct.dataclass
class Flat:
    """`inputs.source.Joined` on the device."""

    values: Array
    base: Array

    @classmethod
    def of(cls, joined: Joined) -> "Flat":
        if len(joined.values) > np.iinfo(np.int32).max:
            raise ValueError(
                f"train.resident: found {len(joined.values):,} vectors, expected fewer than 2^31"
            )
        return cls(joined.values, joined.base.astype(np.int32))

    def take(self, tracks: Array, index: Array, inside: Array) -> Array:
        """As `Joined.take`."""
        found = self.values[self.base[tracks][:, None] + index]
        inside = inside.reshape(inside.shape + (1,) * (found.ndim - 2))
        return jnp.where(inside, found, jnp.zeros((), found.dtype))


@flax.struct.dataclass
class Resident:
    """A source and its plan, to be put onto the devices whole."""

    track: Array
    targets: Reader
    streams: dict[str, Reader]
    values: dict[str, Flat]
    present: dict[str, Flat]
    labels: dict[str, Flat]

    @classmethod
    def of(cls, source: Source, plan: WindowPlan) -> "Resident":
        """In host memory yet."""
        whole = source.joined()
        flat: dict[str, Any] = {
            kind: {name: Flat.of(joined) for name, joined in getattr(whole, kind).items()}
            for kind in ("values", "present", "labels")
        }
        streams = {name: Reader.of(picks) for name, picks in plan.streams.items()}
        return cls(plan.track, Reader.of(plan.targets), streams, **flat)

    def read(self, windows: Array) -> Batch:
        """As `Source.read`, to the bit."""
        batch: dict[str, Array] = {}
        tracks = self.track[windows]
        for name, reader in self.streams.items():
            index, inside = reader.pick(windows)
            present = self.present[name].take(tracks, index, inside)
            batch[name] = self.values[name].take(tracks, index, present)
            batch[present_key(name)] = present
        rows, inside = self.targets.pick(windows)
        for key, flat in self.labels.items():
            batch[key] = flat.take(tracks, rows, inside)
        return batch | {"track": tracks, "row": jnp.where(inside, rows, -1)}

    @property
    def size(self) -> int:
        """Bytes on every device."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self))
