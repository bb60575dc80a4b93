"""Sufficient statistics per track: what every official score is made of, merged by any split in any order."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Int64

from abaw_jax.evaluation.moments import Moments
from abaw_jax.evaluation.table import RowTable
from abaw_jax.evaluation.thresholds import Thresholds, decide
from abaw_jax.evaluation.truth import Truth, align
from abaw_jax.labels import WIDTHS


@dataclass(frozen=True, eq=False)
class Statistics:
    """Statistics of each track; a task that was not scored is None.

    Tracks are in the order of their names: what is drawn at random then depends on the tracks alone, not on
    the order in which parts were merged. `va` holds [track, dimension]; `expr` counts rows by [label,
    decision], `au` the same for each unit.
    """

    tracks: tuple[str, ...]
    va: Moments | None
    expr: Int64[np.ndarray, "tracks 8 8"] | None
    au: Int64[np.ndarray, "tracks 12 2 2"] | None

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(task for task in WIDTHS if getattr(self, task) is not None)

    def merge(self, other: "Statistics") -> "Statistics":
        """Both together. Tracks meet by name; a task that one side lacks is the other's."""
        tracks = tuple(sorted({*self.tracks, *other.tracks}))
        sides = [side._spread(tracks) for side in (self, other)]
        merged = {}
        for task in WIDTHS:
            parts = [getattr(side, task) for side in sides if getattr(side, task) is not None]
            add = Moments.merge if task == "va" else np.add
            merged[task] = add(*parts) if len(parts) == 2 else next(iter(parts), None)
        return Statistics(tracks, **merged)

    def valid_rows(self, task: str) -> Int64[np.ndarray, " tracks"]:
        """Rows with a valid label in each track; of action units, those of the unit that has most."""
        if task == "va":
            return self.va.n[:, 0].astype(np.int64)
        return self.expr.sum(axis=(1, 2)) if task == "expr" else self.au.sum(axis=(2, 3)).max(axis=1)

    def take(self, index: np.ndarray) -> "Statistics":
        """These tracks alone, by position."""
        tracks = tuple(self.tracks[i] for i in index)
        return Statistics(tracks, **{task: _take(getattr(self, task), index) for task in WIDTHS})

    def _spread(self, tracks: tuple[str, ...]) -> "Statistics":
        """The same among more tracks, empty where there was nothing."""
        number = {name: i for i, name in enumerate(tracks)}
        index = np.array([number[name] for name in self.tracks], np.int64)
        return Statistics(
            tracks, **{task: _place(getattr(self, task), index, len(tracks)) for task in WIDTHS}
        )


def collect(
    table: RowTable, truth: Truth, thresholds: Thresholds | None = None
) -> tuple[Statistics, Statistics]:
    """Statistics of all label rows, and of those with an image, from one pass over the rows."""
    table = align(table, truth)
    tasks = [task for task in table.tasks if task in truth.tasks]
    if not tasks:
        raise ValueError(f"nothing to score: predictions of {table.tasks}, labels of {truth.tasks}")
    # Rows without and with an image are two groups of each track; together they are all rows.
    group, groups = 2 * truth.track.astype(np.int64) + truth.has_image, 2 * len(truth.tracks)
    counted = {task: _count(task, table, truth, group, groups, thresholds) for task in tasks}
    by_name = np.argsort(truth.tracks)
    tracks = tuple(truth.tracks[i] for i in by_name)
    without_image, with_image = (
        Statistics(tracks, **{task: _take(counted.get(task), 2 * by_name + half) for task in WIDTHS})
        for half in (0, 1)
    )
    return without_image.merge(with_image), with_image


def _count(
    task: str,
    table: RowTable,
    truth: Truth,
    group: Int64[np.ndarray, " n"],
    groups: int,
    thresholds: Thresholds | None,
) -> Moments | Int64[np.ndarray, "groups ..."]:
    values, label, mask = getattr(table, task), getattr(truth, task), getattr(truth, f"{task}_mask")
    _check_finite(task, table, values, mask)
    if task == "au":
        columns = zip(label.T, decide(values, thresholds).T, mask.T, strict=True)
        return np.stack([_confusion(2, group, groups, *column) for column in columns], axis=1)
    if task == "expr":
        return _confusion(WIDTHS["expr"], group, groups, label, values.argmax(axis=1), mask)
    return Moments.of(values[mask].astype(np.float64), label[mask], group[mask], groups)


def _confusion(
    classes: int,
    group: Int[np.ndarray, " n"],
    groups: int,
    label: Int[np.ndarray, " n"],
    decision: Int[np.ndarray, " n"] | Bool[np.ndarray, " n"],
    mask: Bool[np.ndarray, " n"],
) -> Int64[np.ndarray, "groups classes classes"]:
    """Rows of each group by [label, decision]."""
    cell = (group * classes + label) * classes + decision
    cells = groups * classes * classes
    counts = np.bincount(np.where(mask, cell, cells), minlength=cells + 1)
    return counts[:cells].reshape(groups, classes, classes)


def _check_finite(task: str, table: RowTable, values: np.ndarray, mask: np.ndarray):
    """A prediction that is not there cannot be scored, and leaving its row out would flatter."""
    is_bad = (~np.isfinite(values) & mask.reshape(len(mask), -1)).any(axis=1)
    if is_bad.any():
        first = table.describe(int(is_bad.argmax()))
        raise ValueError(
            f"{is_bad.sum()} rows with a valid '{task}' label have no finite prediction, "
            f"the first is {first}: fill the gaps first (abaw_jax.evaluation.fill)"
        )


Counted = Moments | np.ndarray | None


def _take(counted: Counted, index: np.ndarray) -> Counted:
    if isinstance(counted, Moments):
        return Moments(*(field[index] for field in counted))
    return None if counted is None else counted[index]


def _place(counted: Counted, index: np.ndarray, length: int) -> Counted:
    """Lines put at `index` of an otherwise empty, longer array."""
    if counted is None or isinstance(counted, Moments):
        return counted and Moments(*(_place(field, index, length) for field in counted))
    wide = np.zeros((length, *counted.shape[1:]), counted.dtype)
    wide[index] = counted
    return wide
