"""What a window is: which rows it predicts, and what of every stream it sees around its anchor row.

All systems are this one object: contiguous stretches of rows, the past alone, moments in seconds, a span of a
stream's own clock, a few faces spread over those that are there.
"""

import dataclasses
from collections.abc import Mapping

from abaw_jax.problems import one_of

EDGES = ("mask", "clamp", "shift", "skip")
OVERLAPS = ("mean", "first", "last")


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows counted from the anchor: `Rows.span(-89, 1)` is the anchor and the 89 before it."""

    offsets: tuple[int, ...]

    @property
    def count(self) -> int:
        """Vectors that a window takes."""
        return len(self.offsets)

    @classmethod
    def span(cls, first: int, stop: int, step: int = 1) -> "Rows":
        """From `first` up to, not including, `stop`."""
        return cls(tuple(range(first, stop, step)))


@dataclasses.dataclass(frozen=True)
class Seconds:
    """Moments counted in seconds from the anchor; with a track's own rate they become rows."""

    offsets: tuple[float, ...]

    @property
    def count(self) -> int:
        """Vectors that a window takes."""
        return len(self.offsets)


@dataclasses.dataclass(frozen=True)
class Native:
    """So many vectors of a stream's own clock, from the first at or after `first_s` of the anchor."""

    first_s: float
    count: int


@dataclasses.dataclass(frozen=True)
class Present:
    """So many of the rows that are there between two moments, evenly spread."""

    first_s: float
    last_s: float
    count: int


Reach = Rows | Seconds | Native | Present


@dataclasses.dataclass(frozen=True)
class WindowSpec:
    """A kind of window."""

    targets: tuple[int, ...]
    """Rows that are predicted, counted from the anchor."""
    reaches: Mapping[str, Reach]
    """Of every stream."""
    stride: int = 1
    """Rows from one anchor to the next in training."""
    eval_stride: int = 1
    learn_from_s: float = 0.0
    """Training windows whose first target is earlier than so many seconds of a track are left out."""
    edge: str = "mask"
    """Past a track's ends: mask what is not there, clamp to the last row (a stream's own clock is masked),
    shift the last window back so that it ends with the track, or skip windows that do not fit."""
    overlap: str = "mean"
    """Rows that several windows predict: their mean, or what the first or the last window says."""

    def __post_init__(self) -> None:
        one_of("window.edge", self.edge, EDGES)
        one_of("window.overlap", self.overlap, OVERLAPS)
        if not self.targets or list(self.targets) != sorted(set(self.targets)):
            raise ValueError(f"window.targets: found {self.targets}, expected rows in rising order")
        for name in ("stride", "eval_stride"):
            if getattr(self, name) < 1:
                raise ValueError(f"window.{name}: found {getattr(self, name)}, expected 1 or more")

    @property
    def ahead(self) -> tuple[str, ...]:
        """Streams that are looked at past a window's first target, which a causal system must mask itself."""
        return tuple(name for name, reach in self.reaches.items() if _is_ahead(reach, self.targets[0]))


def _is_ahead(reach: Reach, target: int) -> bool:
    if isinstance(reach, Rows | Seconds):
        return max(reach.offsets) > target
    return isinstance(reach, Native) or reach.last_s > target


def contiguous(rows: int, streams: tuple[str, ...], stride: int, eval_stride: int, **more: str) -> WindowSpec:
    """Stretches of `rows` rows, all of them predicted, every stream seen at the same rows."""
    return WindowSpec(
        targets=tuple(range(rows)),
        reaches=dict.fromkeys(streams, Rows.span(0, rows)),
        stride=stride,
        eval_stride=eval_stride,
        **more,
    )
