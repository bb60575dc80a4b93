"""One track, its predictions and its labels on one clock; and the track that tells most."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float64

from abaw_jax.evaluation.table import RowTable
from abaw_jax.evaluation.truth import Truth

SETTLED_ROWS = 30
"""About a second: what varies over fewer rows than this has not shown much."""

Labels = tuple[np.ndarray, np.ndarray]
"""(values, which of them are valid)"""


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """The rows of one track. Row i is drawn from `edges[i]` to `edges[i + 1]`, around `at[i]`."""

    name: str
    rows: RowTable
    labels: dict[str, Labels]
    at: Float64[np.ndarray, " n"]
    clock: str
    """What `at` counts."""

    @classmethod
    def of(cls, table: RowTable, truth: Truth, name: str) -> "Scene":
        """Of the tasks in the table; a task without labels is drawn without them."""
        if not table.tasks:
            raise ValueError("the table has no predictions of any task, expected some to draw")
        rows = _track(table, name)
        found = truth.locate(rows)
        labels = {task: _labels(truth, task, found) for task in _shared(rows, truth)}
        if np.isnan(rows.time_ms).any():
            return cls(name, rows, labels, rows.row.astype(np.float64), "row (its time is not known)")
        return cls(name, rows, labels, rows.time_ms / 1000, "seconds")

    @property
    def edges(self) -> Float64[np.ndarray, " n_and_one"]:
        """Halfway between rows, and as far out at both ends."""
        if len(self.at) == 1:
            return self.at[0] + np.array([-0.5, 0.5])
        middles = (self.at[1:] + self.at[:-1]) / 2
        return np.concatenate([[2 * self.at[0] - middles[0]], middles, [2 * self.at[-1] - middles[-1]]])

    def spans(self, is_on: Bool[np.ndarray, " n"]) -> list[tuple[float, float]]:
        """(start, length) of every stretch of rows, on the clock."""
        turns = np.flatnonzero(np.diff(np.concatenate([[False], is_on, [False]]).astype(np.int8)))
        edges = self.edges
        return [(float(edges[a]), float(edges[b] - edges[a])) for a, b in turns.reshape(-1, 2)]


def most_telling(table: RowTable, truth: Truth) -> str:
    """The track in which labels and predictions vary most; of equals that of the labels, then the first.

    A covered face or a lost sound has a vector too: only what is said of it tells that nothing was shown.
    """
    if not table.tracks:
        raise ValueError("the table of predictions has no rows, expected some of a track to draw")
    return max(table.tracks, key=lambda name: _variation(_track(table, name), truth))


def _variation(rows: RowTable, truth: Truth) -> tuple[float, float]:
    """(of labels or predictions, whichever vary less; of labels)."""
    at, both, labelled = np.where(rows.no_face & rows.no_sound, -1, truth.locate(rows)), 0.0, 0.0
    for task in _shared(rows, truth):
        values, mask = _labels(truth, task, at)
        of_labels = _spread(task, values, mask)
        is_said = rows.predicted(task).reshape(-1, *(1,) * (mask.ndim - 1))
        both += min(of_labels, _spread(task, _said(rows, task), mask & is_said))
        labelled += of_labels
    return both, labelled


def _said(rows: RowTable, task: str) -> np.ndarray:
    """Predictions as labels are: affect, a class, units on or off."""
    values = getattr(rows, task)
    if task == "va":
        return values
    return values.argmax(axis=1) if task == "expr" else (values > 0.5).astype(np.int8)


def _spread(task: str, values: np.ndarray, is_valid: np.ndarray) -> float:
    """From 0 to about 1 for every task: a deviation, or how often two rows drawn at random differ."""
    rows = is_valid if is_valid.ndim == 1 else is_valid.all(axis=1)
    values, count = values[rows], int(rows.sum())
    if not count:
        return 0.0
    if task == "va":
        spread = values.std(axis=0).mean()
    elif task == "expr":
        spread = 1 - np.square(np.bincount(values) / count).sum()
    else:
        share = values.mean(axis=0)
        spread = (4 * share * (1 - share)).mean()
    return float(spread) * count / (count + SETTLED_ROWS)


def _track(rows: RowTable, name: str) -> RowTable:
    if name not in rows.tracks:
        raise ValueError(f"no track {name!r} in the table; it has {', '.join(rows.tracks[:5])}, …")
    start, end = rows.bounds[rows.tracks.index(name) :][:2]
    return rows.take(np.arange(start, end))


def _shared(rows: RowTable, truth: Truth) -> list[str]:
    """Tasks with predictions and labels."""
    return [task for task in rows.tasks if task in truth.tasks and len(truth)]


def _labels(truth: Truth, task: str, at: np.ndarray) -> Labels:
    """For rows at these places of the truth; a row that it does not have (-1) is not valid."""
    values, mask = getattr(truth, task)[at], getattr(truth, f"{task}_mask")[at]
    is_there = (at >= 0).reshape(-1, *(1,) * (mask.ndim - 1))
    return values, mask & is_there
