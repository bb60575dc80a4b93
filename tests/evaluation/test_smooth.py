"""Smoothing against brute force, at the ends of tracks, around gaps, and in seconds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abaw_jax.evaluation.smooth import KERNELS, smooth
from abaw_jax.evaluation.table import RowTable

FPS = 20.0


def by_definition(
    kernel: str, row: np.ndarray, value: np.ndarray, votes: np.ndarray, width_rows: float, at: int
) -> float:
    """What the row at this frame number gets from all rows of its track; NaN if nobody votes."""
    distance = np.abs(row - at)
    half = int(4 * width_rows + 1e-6) if kernel == "gaussian" else round(width_rows / 2)
    heard = votes & (distance <= half)
    if not heard.any():
        return np.nan
    if kernel == "median":
        return np.median(value[heard])
    weight = (
        np.exp(-0.5 * (distance[heard] / width_rows) ** 2) if kernel == "gaussian" else np.ones(heard.sum())
    )
    return np.average(value[heard], weights=weight)


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), width_rows=st.floats(0.1, 30), exclude_filled=st.booleans())
def test_smoothing_is_its_definition(kernel: str, seed: int, width_rows: float, exclude_filled: bool):
    rng = np.random.default_rng(seed)
    track = np.repeat([0, 1, 2], rng.integers(2, 40, 3))
    row = rng.choice(60, len(track), replace=False) + 1 if len(track) <= 60 else np.arange(len(track)) + 1
    va = rng.normal(size=(len(track), 2))
    va[rng.random(len(track)) < 0.2] = np.nan
    filled = rng.random(len(track)) < 0.3
    table = RowTable.build("abc", track, row, va=va, time_ms=row * 1000 / FPS, filled=filled)
    smoothed = smooth(table, kernel, width_rows / FPS, exclude_filled=exclude_filled)
    has_value = table.predicted("va")
    votes = has_value & ~table.filled if exclude_filled else has_value
    for i in range(len(table)):
        mine = table.track == table.track[i]
        for d in range(2):
            expected = np.nan
            if has_value[i]:
                expected = by_definition(
                    kernel,
                    table.row[mine],
                    table.va[mine, d].astype(float),
                    votes[mine],
                    width_rows,
                    table.row[i],
                )
                expected = table.va[i, d] if np.isnan(expected) else expected
            np.testing.assert_allclose(smoothed.va[i, d], expected, rtol=1e-5, atol=1e-6)


def test_box_shrinks_at_the_ends_and_never_leaves_the_track():
    table = RowTable.build(
        "ab", [0, 0, 0, 1, 1], [1, 2, 3, 1, 2], va=np.array([[3, 0], [6, 0], [9, 0], [100, 0], [200, 0]])
    )
    smoothed = smooth(table, "box", 2 / FPS, fps={"a": FPS, "b": FPS})
    np.testing.assert_allclose(smoothed.va[:, 0], [4.5, 6, 7.5, 150, 150])


def test_widths_are_seconds_at_the_rate_of_each_track():
    va = np.zeros((10, 2))
    va[[0, 5], 0] = 1
    time_ms = [0, 100, 200, 300, 400, 0, 50, 100, 150, 200]
    table = RowTable.build("ab", [0] * 5 + [1] * 5, [1, 2, 3, 4, 5] * 2, va=va, time_ms=time_ms)
    smoothed = smooth(table, "box", 0.2)  # 10 and 20 frames a second: half windows of one and of two rows
    np.testing.assert_allclose(smoothed.va[:5, 0], [1 / 2, 1 / 3, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(smoothed.va[5:, 0], [1 / 3, 1 / 4, 1 / 5, 0, 0], atol=1e-6)


def test_a_track_without_times_takes_the_given_rate_or_thirty():
    table = RowTable.build("a", [0] * 5, range(1, 6), va=np.eye(5, 2))
    np.testing.assert_allclose(smooth(table, "box", 2 / 30).va[:, 0], [1 / 2, 1 / 3, 0, 0, 0], atol=1e-7)
    slower = smooth(table, "box", 2 / 30, fps={"a": 60.0})
    np.testing.assert_allclose(slower.va[:, 0], [1 / 3, 1 / 4, 1 / 5, 0, 0], atol=1e-7)


def test_filled_rows_that_do_not_vote_still_receive():
    va = np.array([[1, 0], [50, 0], [3, 0], [70, 0], [70, 0], [70, 0]], np.float32)
    table = RowTable.build("a", [0] * 6, range(1, 7), va=va, filled=[0, 1, 0, 1, 1, 1])
    for kernel in ("box", "median"):
        smoothed = smooth(table, kernel, 2 / 30, exclude_filled=True)
        # Rows 5 and 6 hear nobody and keep what they were filled with.
        np.testing.assert_allclose(smoothed.va[:, 0], [1, 2, 3, 3, 70, 70])


def test_a_row_without_prediction_stays_without():
    table = RowTable.build("a", [0] * 3, [1, 2, 3], va=[[1, 1], [np.nan, np.nan], [3, 3]])
    np.testing.assert_array_equal(smooth(table, "box", 1.0).va[:, 0], [2, np.nan, 2])


@pytest.mark.parametrize("kernel", KERNELS)
def test_constants_and_single_rows_stay_what_they_are(kernel: str):
    table = RowTable.build(
        "ab", [0] * 50 + [1], [*range(1, 51), 7], va=np.full((51, 2), 0.1), au=np.full((51, 12), 0.3)
    )
    smoothed = smooth(table, kernel, 1.0)
    np.testing.assert_allclose(smoothed.va, np.float32(0.1), rtol=2e-7)
    np.testing.assert_allclose(smoothed.au, np.float32(0.3), rtol=2e-7)


@pytest.mark.parametrize("kernel", KERNELS)
def test_no_width_changes_nothing(kernel: str):
    table = RowTable.build("a", [0] * 9, range(1, 10), va=np.random.default_rng(0).normal(size=(9, 2)))
    np.testing.assert_allclose(smooth(table, kernel, 0.0).va, table.va, rtol=1e-6)


def test_only_named_tasks_are_smoothed():
    rng = np.random.default_rng(0)
    table = RowTable.build("a", [0] * 9, range(1, 10), va=rng.normal(size=(9, 2)), expr=rng.random((9, 8)))
    smoothed = smooth(table, "box", {"expr": 0.1})
    np.testing.assert_array_equal(smoothed.va, table.va)
    assert not np.array_equal(smoothed.expr, table.expr)


def test_smoothing_refuses_what_it_cannot_do():
    table = RowTable.build("a", [0], [1], va=np.zeros((1, 2)))
    with pytest.raises(ValueError, match="'savgol', there are: box, gaussian, median"):
        smooth(table, "savgol", 1.0)
    with pytest.raises(ValueError, match="no predictions of 'au' to smooth, there are: va"):
        smooth(table, "box", {"au": 1.0})
    with pytest.raises(ValueError, match=r"over -1\.0 s"):
        smooth(table, "box", -1.0)
