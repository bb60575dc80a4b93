"""Gap filling: every rule by hand, and no row without a prediction after it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abaw_jax.evaluation.clock import ms_per_row, times_ms
from abaw_jax.evaluation.fill import ALIASES, RULES, fill, without_blind
from abaw_jax.evaluation.rows import Rows
from abaw_jax.evaluation.table import NEUTRAL, RowTable

NAN = np.nan

# Predictions at rows 3, 4 and 8 of ten.
KNOWN = {3: 0.25, 4: 0.5, 8: 1.0}
BY_HAND = {
    "previous": [0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0],
    "next": [0.25, 0.25, 0.25, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    "nearest": [0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0],
    "linear": [0.25, 0.25, 0.25, 0.5, 0.625, 0.75, 0.875, 1.0, 1.0, 1.0],
    "from_neutral": [0.0, 0.0, 0.25, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0],
}


def gapped_table() -> RowTable:
    va = np.stack([list(KNOWN.values())] * 2, axis=1)
    return RowTable.build("a", [0] * len(KNOWN), list(KNOWN), va=va)


@pytest.mark.parametrize("rule", RULES)
def test_rules_fill_as_by_hand(rule: str):
    table, counts = fill(gapped_table(), {"a": 10}, rule)
    np.testing.assert_array_equal(table.va[:, 1], np.float32(BY_HAND[rule]))
    assert table.row.tolist() == list(range(1, 11))
    assert table.filled.tolist() == [row not in KNOWN for row in range(1, 11)]
    assert counts.filled == {"a": 7}
    assert counts.without_predictions == {"va": ()}
    assert counts.left_out == 0


@pytest.mark.parametrize("rule", RULES)
def test_nan_is_a_gap_like_an_absent_row(rule: str):
    valence = [KNOWN.get(row, NAN) for row in range(1, 11)]
    table = RowTable.build("a", [0] * 10, range(1, 11), va=np.stack([valence, np.zeros(10)], axis=1))
    filled, counts = fill(table, {"a": 10}, rule)
    np.testing.assert_array_equal(filled.va[:, 0], np.float32(BY_HAND[rule]))
    assert counts.filled == {"a": 7}


@pytest.mark.parametrize("alias", ALIASES)
def test_published_rules_are_the_basic_ones(alias: str):
    table, _ = fill(gapped_table(), {"a": 10}, alias)
    np.testing.assert_array_equal(table.va[:, 0], np.float32(BY_HAND[ALIASES[alias]]))


@pytest.mark.parametrize("rule", RULES)
def test_a_track_without_predictions_is_neutral_and_counted(rule: str):
    table = RowTable.build(
        "ab", [0, 1], [1, 1], va=[[0.5, 0.5], [NAN, NAN]], expr=np.full((2, 8), NAN), au=np.ones((2, 12))
    )
    filled, counts = fill(table, {"a": 1, "b": 2, "c": 1}, rule)
    np.testing.assert_array_equal(filled.va[1:], np.zeros((3, 2)))
    np.testing.assert_array_equal(filled.expr, np.tile(NEUTRAL["expr"], (4, 1)))
    assert filled.expr.argmax(axis=1).tolist() == [0] * 4
    np.testing.assert_array_equal(filled.au[3], np.zeros(12))
    assert counts.without_predictions == {"va": ("b", "c"), "expr": ("a", "b", "c"), "au": ("c",)}
    assert counts.filled == {"a": 1, "b": 2, "c": 1}


def test_tasks_are_filled_one_by_one():
    table = RowTable.build("a", [0, 0], [1, 2], va=[[0.5, 0], [NAN, 0]], au=np.eye(2, 12))
    filled, _ = fill(table, {"a": 2}, "previous")
    np.testing.assert_array_equal(filled.va, np.float32([[0.5, 0], [0.5, 0]]))
    np.testing.assert_array_equal(filled.au, np.eye(2, 12))
    assert filled.expr is None
    assert filled.filled.tolist() == [False, True]


def test_neighbours_are_of_the_same_track():
    table = RowTable.build("abc", [0, 1, 2], [5, 3, 1], va=[[0.1, 0], [0.2, 0], [0.3, 0]])
    filled, _ = fill(table, {"c": 2, "b": 4, "a": 6}, "nearest")
    assert filled.tracks == ("c", "b", "a")
    np.testing.assert_array_equal(filled.va[:, 0], np.float32([0.3] * 2 + [0.2] * 4 + [0.1] * 6))


def test_rows_that_are_not_wanted_are_counted_and_serve_as_neighbours():
    filled, counts = fill(gapped_table(), [("a", 6), ("a", 8)], "linear")
    np.testing.assert_array_equal(filled.va[:, 0], np.float32([0.75, 1.0]))
    assert counts.left_out == 2


def test_flags_of_known_rows_are_kept():
    table = RowTable.build(
        "a", [0, 0], [1, 3], va=np.zeros((2, 2)), no_face=[True, False], filled=[False, True]
    )
    filled, counts = fill(table, {"a": 3}, "previous")
    assert filled.no_face.tolist() == [True, False, False]
    assert filled.filled.tolist() == [False, True, True]
    assert counts.filled == {"a": 1}


def test_unknown_rules_list_the_known_ones():
    with pytest.raises(
        ValueError, match="no gap filling rule 'neareset', there are: previous, next, nearest"
    ):
        fill(gapped_table(), {"a": 10}, "neareset")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([*RULES]))
def test_every_wanted_row_gets_a_prediction_of_its_own_track(seed: int, rule: str):
    rng = np.random.default_rng(seed)
    lengths = {f"t{i}": int(n) for i, n in enumerate(rng.integers(1, 9, 5))}
    every = Rows.wanted(lengths)
    value = every.track + rng.random(len(every))
    full = RowTable.build(every.tracks, every.track, every.row, va=np.stack([value, value], axis=1))
    known = rng.random(len(full)) < 0.4
    filled, counts = fill(full.take(known), lengths, rule)
    assert filled.predicted("va").all()
    assert filled.tracks == every.tracks
    np.testing.assert_array_equal(filled.va[known], full.va[known])
    np.testing.assert_array_equal(filled.filled, ~known)
    assert sum(counts.filled.values()) == (~known).sum()
    alien = (filled.va[:, 0] != 0) & (np.floor(filled.va[:, 0]) != every.track)
    assert not alien.any()


def test_times_of_added_rows_follow_the_rows_around_them():
    table = RowTable.build("a", [0, 0, 0], [2, 4, 5], time_ms=[100.0, 300.0, 340.0])
    # 240 ms over 3 rows: 80 ms a row outside what is known.
    assert ms_per_row(table).tolist() == [80.0]
    times = times_ms(table, Rows.wanted({"a": 7}))
    np.testing.assert_allclose(times, [20, 100, 200, 300, 340, 420, 500])


def test_a_track_without_times_needs_fps():
    table = RowTable.build("ab", [0, 1], [1, 2], time_ms=[NAN, 70.0])
    wanted = {"a": 2, "b": 3, "c": 1}
    unknown = times_ms(table, Rows.wanted(wanted))
    np.testing.assert_array_equal(unknown, [NAN, NAN, NAN, 70, NAN, NAN])
    known = times_ms(table, Rows.wanted(wanted), fps={"a": 10.0, "b": 25.0, "c": 8.0})
    np.testing.assert_allclose(known, [50, 150, 30, 70, 110, 62.5])


def test_what_is_said_of_rows_without_a_face_can_be_a_gap():
    va = np.array([[0.1, 0.2], [0.9, 0.9], [0.3, 0.4]])
    table = RowTable.build("a", [0] * 3, [1, 2, 3], va=va, no_face=np.array([False, True, False]))
    filled, counts = fill(without_blind(table), {"a": 3}, "system_d")
    np.testing.assert_array_equal(filled.va, np.float32([[0.1, 0.2], [0.1, 0.2], [0.3, 0.4]]))
    assert counts.filled == {"a": 1} and filled.no_face.tolist() == [False, True, False]
