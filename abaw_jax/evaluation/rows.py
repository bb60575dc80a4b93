"""The key that predictions and labels share: which row of which track, sorted and without duplicates."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import ClassVar, TypeVar

import numpy as np
from jaxtyping import Int32, Int64

Layout = dict[str, tuple[type, tuple[int, ...]]]
"""Column name to (dtype, shape of one row)."""

Kind = TypeVar("Kind", bound="Rows")
"""Rows, predictions or labels: what comes out is what went in. (beartype has no Self in methods.)"""

ROW_BITS = 32
"""A row number takes the lower half of a key, the track number the upper half."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of tracks, sorted by track (in the order of `tracks`), then by frame number.

    `track` indexes `tracks`, `row` is the frame number and starts at 1. Every track has a row: a table on
    disk knows its tracks from its rows alone, so a track without one could not survive a round trip.
    """

    tracks: tuple[str, ...]
    track: Int32[np.ndarray, " n"]
    row: Int32[np.ndarray, " n"]

    LAYOUT: ClassVar[Layout] = {"track": (np.int32, ()), "row": (np.int32, ())}
    OPTIONAL: ClassVar[frozenset[str]] = frozenset()
    """Columns that may be None."""

    def __post_init__(self):
        for name in self.LAYOUT:
            self._check_column(name)
        self._check_tracks()
        self._check_order()

    def __len__(self) -> int:
        return len(self.row)

    @cached_property
    def keys(self) -> Int64[np.ndarray, " n"]:
        """One sortable number a row: differences within a track are differences in frame number."""
        return make_keys(self.track, self.row)

    @cached_property
    def bounds(self) -> Int64[np.ndarray, " tracks_and_one"]:
        """Rows of track i are `bounds[i]:bounds[i + 1]`."""
        return np.searchsorted(self.track, np.arange(len(self.tracks) + 1))

    @classmethod
    def build(cls: type[Kind], tracks: Iterable[str], track, row, **columns) -> Kind:
        """From columns in any order and of any castable type; tracks without a row are dropped."""
        tracks, track, row = tuple(tracks), np.asarray(track, np.int64), np.asarray(row, np.int64)
        if len(track) and not 0 <= track.min() <= track.max() < len(tracks):
            raise ValueError(f"track numbers {track.min()} to {track.max()}, expected 0 to {len(tracks) - 1}")
        if unknown := columns.keys() - cls.LAYOUT.keys():
            raise TypeError(f"{cls.__name__} has no columns {sorted(unknown)}; it has {list(cls.LAYOUT)}")
        is_used = np.bincount(track, minlength=len(tracks)) > 0
        track = np.cumsum(is_used)[track] - 1
        order = _sorting_order(make_keys(track, row))
        columns = dict.fromkeys(cls.LAYOUT) | columns | {"track": track, "row": row}
        for name, column in columns.items():
            if column is not None:
                columns[name] = np.asarray(column, cls.LAYOUT[name][0])[order]
        return cls(tracks=tuple(compress(tracks, is_used)), **columns)

    @classmethod
    def wanted(cls, rows: "Mapping[str, int] | Iterable[tuple[str, int]] | Rows") -> "Rows":
        """Rows by name: the number of rows of each track (1 to that number), or (track, row) pairs."""
        if isinstance(rows, Rows):
            return rows
        if isinstance(rows, Mapping):
            lengths = np.array(list(rows.values()), np.int64)
            if np.any(lengths < 0):
                raise ValueError(f"a track cannot have {lengths.min()} rows")
            starts = np.cumsum(lengths) - lengths
            track = np.repeat(np.arange(len(lengths)), lengths)
            return Rows.build(rows, track, np.arange(lengths.sum()) - starts[track] + 1)
        pairs = list(rows)
        number = {name: i for i, name in enumerate(dict.fromkeys(name for name, _ in pairs))}
        return Rows.build(number, [number[name] for name, _ in pairs], [row for _, row in pairs])

    def take(self: Kind, positions: np.ndarray) -> Kind:
        """The rows at these positions (indices or a mask), as a table of the same kind."""
        columns = {name: getattr(self, name) for name in self.LAYOUT}
        taken = {name: column if column is None else column[positions] for name, column in columns.items()}
        return type(self).build(self.tracks, **taken)

    def keys_of(self, wanted: "Rows") -> Int64[np.ndarray, " m"]:
        """Keys of other rows in this table's numbering of tracks; negative for a track it does not have."""
        if self.tracks == wanted.tracks:
            return wanted.keys
        number = {name: i for i, name in enumerate(self.tracks)}
        renumbered = np.array([number.get(name, -1) for name in wanted.tracks], np.int64)
        return make_keys(renumbered[wanted.track], wanted.row)

    def locate(self, wanted: "Rows") -> Int64[np.ndarray, " m"]:
        """Where each wanted row stands in this table, -1 where it does not."""
        keys = self.keys_of(wanted)
        if np.array_equal(keys, self.keys):
            return np.arange(len(self))
        at = np.searchsorted(self.keys, keys)
        is_found = np.append(self.keys, -1)[at] == keys
        return np.where(is_found & (keys >= 0), at, -1)

    def in_order_of(self: Kind, other: "Rows") -> Kind:
        """The columns of this table for the rows of `other`, all of which it must have."""
        at = self.locate(other)
        columns = {name: getattr(self, name) for name in self.LAYOUT}
        if len(self) != len(other) or not np.array_equal(at, np.arange(len(at))):
            columns = {name: column if column is None else column[at] for name, column in columns.items()}
        return type(self)(tracks=other.tracks, **columns | {"track": other.track, "row": other.row})

    def describe(self, position: int) -> str:
        return f"track '{self.tracks[self.track[position]]}' row {self.row[position]}"

    def _check_column(self, name: str):
        column, (dtype, tail) = getattr(self, name), self.LAYOUT[name]
        if column is None and name in self.OPTIONAL:
            return
        expected = f"{np.dtype(dtype)} {(len(self.row), *tail)}"
        found = f"{getattr(column, 'dtype', type(column).__name__)} {np.shape(column)}"
        if found != expected:
            raise ValueError(f"{type(self).__name__}: column '{name}' is {found}, expected {expected}")

    def _check_tracks(self):
        if len(set(self.tracks)) != len(self.tracks):
            raise ValueError(f"{type(self).__name__}: a track name occurs twice in {self.tracks}")
        if len(self) and not 0 <= self.track.min() <= self.track.max() < len(self.tracks):
            raise ValueError(f"{type(self).__name__}: a track number outside the {len(self.tracks)} tracks")
        if not np.all(np.bincount(self.track, minlength=len(self.tracks))):
            raise ValueError(f"{type(self).__name__}: every one of the {len(self.tracks)} tracks needs a row")

    def _check_order(self):
        if len(self) and self.row.min() < 1:
            raise ValueError(f"{self.describe(int(self.row.argmin()))}: rows are counted from 1")
        step = np.diff(self.keys)
        if np.any(step == 0):
            raise ValueError(f"{self.describe(int(np.argmax(step == 0)))} occurs twice")
        if np.any(step < 0):
            where = self.describe(int(np.argmax(step < 0)) + 1)
            raise ValueError(f"{where} is out of order: use {type(self).__name__}.build")


def make_keys(track: np.ndarray, row: np.ndarray) -> Int64[np.ndarray, " n"]:
    return (track.astype(np.int64) << ROW_BITS) + row


def neighbours(
    keys: Int64[np.ndarray, " n"], wanted: Int64[np.ndarray, " m"]
) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]:
    """Positions in `keys` of the last row at or before each wanted one and of the first at or after it.

    Neighbours are of the same track; -1 where it has none.
    """
    padded = np.append(keys, -1)  # positions -1 (none before) and n (none after) then belong to no track
    before = np.searchsorted(keys, wanted, side="right") - 1
    after = np.searchsorted(keys, wanted, side="left")
    track = wanted >> ROW_BITS
    is_known = track >= 0
    before = np.where(is_known & (padded[before] >> ROW_BITS == track), before, -1)
    after = np.where(is_known & (padded[after] >> ROW_BITS == track), after, -1)
    return before, after


def _sorting_order(keys: np.ndarray) -> np.ndarray | slice:
    """What sorts the keys; nothing to do, and nothing to copy, in the usual case that they are sorted."""
    return np.argsort(keys, kind="stable") if np.any(keys[1:] < keys[:-1]) else slice(None)
