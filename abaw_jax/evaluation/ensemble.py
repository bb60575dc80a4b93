"""Several runs made into one: the plain mean, and the mean after CCC-centring."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float, Float64

from abaw_jax.evaluation.moments import Moments
from abaw_jax.evaluation.table import RowTable
from abaw_jax.labels import VA_RANGE


def mean(tables: Sequence[RowTable], weights: Sequence[float | int] | None = None) -> RowTable:
    """Weighted mean of every task, for each row over the tables that predict it."""
    tables = _in_one_order(tables)
    weights = _checked_weights(weights, len(tables))
    return _combined(tables, {task: [getattr(t, task) for t in tables] for task in tables[0].tasks}, weights)


def ccc_centred(tables: Sequence[RowTable]) -> RowTable:
    """Mean of the tables after each was moved, in valence and arousal, to a mean they can agree on.

    A fold's x_i becomes x_i - m_i + sum(m_j a_j) / sum(a_j), where m_i is its mean and a_i its agreement: the
    mean CCC with each of the others. Folds differ most in their offset, and the offset costs CCC; a fold that
    follows the others has more say in where it lies. Per track and per dimension, as in the code of system B
    and its forebears (sucv, after the AVEC 2016 gold standard), which centre one trial at a time. Clipped to
    the range late, after the mean. Probabilities are averaged plainly.

    The published formula divides by a sum that can be zero or negative. Here a fold that disagrees (a_i < 0)
    has no say, and where none agrees all have the same; otherwise the numbers are the published ones.
    """
    tables = _in_one_order(tables)
    runs = {task: [getattr(table, task) for table in tables] for task in tables[0].tasks}
    if "va" in runs and len(tables) > 1:
        shifts = _shifts(tables)[:, tables[0].track]
        runs["va"] = [run + shift for run, shift in zip(runs["va"], shifts, strict=True)]
    return _combined(tables, runs, np.ones(len(tables)))


def _shifts(tables: Sequence[RowTable]) -> Float64[np.ndarray, "tables tracks 2"]:
    """What to add to each table, from the rows that every table predicts."""
    rows = np.logical_and.reduce([table.predicted("va") for table in tables])
    group, groups = tables[0].track[rows].astype(np.int64), len(tables[0].tracks)
    values = [table.va[rows].astype(np.float64) for table in tables]
    means, agreement = np.zeros((2, len(tables), groups, 2))
    for i, j in combinations(range(len(tables)), 2):
        moments = Moments.of(values[i], values[j], group, groups)
        means[i], means[j] = moments.mean_x, moments.mean_y
        agreement[[i, j]] += moments.ccc() / (len(tables) - 1)
    return _agreed_mean(means, agreement) - means


def _agreed_mean(
    means: Float64[np.ndarray, "tables *s"], agreement: Float64[np.ndarray, "tables *s"]
) -> Float64[np.ndarray, "*s"]:
    say = np.maximum(agreement, 0.0)
    say = np.where(say.sum(axis=0) > 0, say, 1.0)
    return (means * say).sum(axis=0) / say.sum(axis=0)


def _combined(
    tables: Sequence[RowTable], runs: dict[str, list[np.ndarray]], weights: Float64[np.ndarray, " tables"]
) -> RowTable:
    """One table of the weighted means; a flag that any run raised stays raised."""
    first = tables[0]
    columns = {task: _weighted_mean(values, weights) for task, values in runs.items()}
    if "va" in columns:
        columns["va"] = columns["va"].clip(*VA_RANGE)
    for flag in ("no_face", "no_sound", "filled"):
        columns[flag] = np.logical_or.reduce([getattr(table, flag) for table in tables])
    return RowTable.build(first.tracks, first.track, first.row, time_ms=first.time_ms, **columns)


def _weighted_mean(
    runs: Sequence[Float[np.ndarray, "n c"]], weights: Float64[np.ndarray, " tables"]
) -> Float64[np.ndarray, "n c"]:
    total, share = np.zeros(runs[0].shape), np.zeros((len(runs[0]), 1))
    for run, weight in zip(runs, weights, strict=True):
        votes = ~np.isnan(run).any(axis=1, keepdims=True)
        total += np.where(votes, run, 0.0) * weight
        share += votes * weight
    return np.divide(total, share, out=np.full_like(total, np.nan), where=share > 0)


def _checked_weights(weights: Sequence[float | int] | None, count: int) -> Float64[np.ndarray, " tables"]:
    weights = np.ones(count) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != (count,) or not np.all(weights >= 0) or not 0 < weights.sum() < np.inf:
        found = weights.tolist()
        raise ValueError(f"weights {found} for {count} tables: expected one each, 0 or more, not all 0")
    return weights


def _in_one_order(tables: Sequence[RowTable]) -> list[RowTable]:
    """The tables in the order of the first; they must predict the same tasks for the same rows."""
    if not tables:
        raise ValueError("an ensemble needs at least one table of predictions")
    first, ordered = tables[0], []
    for number, table in enumerate(tables, start=1):
        if table.tasks != first.tasks:
            raise ValueError(f"table {number} predicts {table.tasks}, the first one {first.tasks}")
        _check_same_rows(first, table, number)
        ordered.append(table.in_order_of(first))
    return ordered


def _check_same_rows(first: RowTable, table: RowTable, number: int):
    for a, b, where in ((table, first, f"table {number}"), (first, table, "the first table")):
        is_missing = a.locate(b) < 0
        if is_missing.any():
            missing = b.describe(int(is_missing.argmax()))
            raise ValueError(f"{where} lacks {is_missing.sum()} rows of the other, the first is {missing}")
