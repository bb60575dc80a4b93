"""Rows of tracks: sorted, unique, found by name; predictions and labels on top of them."""

from collections.abc import Iterator

import jaxtyping
import numpy as np
import pytest

from abaw_jax.evaluation.rows import Rows, neighbours
from abaw_jax.evaluation.table import RowTable, clipped
from abaw_jax.evaluation.truth import Truth, align


def table_of(names: str, rows: list[int], valence: list[float]) -> RowTable:
    """One letter a track, one row a letter."""
    tracks = tuple(dict.fromkeys(names))
    va = np.stack([valence, np.zeros(len(rows))], axis=1)
    return RowTable.build(tracks, [tracks.index(name) for name in names], rows, va=va)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Annotations are checked in tests alone: without them, as in use, the table must speak for itself."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def test_build_sorts_rows_by_track_then_row():
    table = table_of("bab", [2, 1, 1], [0.2, 0.3, 0.1])
    assert table.tracks == ("b", "a")
    assert table.track.tolist() == [0, 0, 1]
    assert table.row.tolist() == [1, 2, 1]
    np.testing.assert_array_equal(table.va[:, 0], np.float32([0.1, 0.2, 0.3]))
    assert table.bounds.tolist() == [0, 2, 3]


def test_build_drops_tracks_without_rows():
    table = RowTable.build(("a", "b", "c"), [2, 0], [1, 1])
    assert table.tracks == ("a", "c")
    assert table.track.tolist() == [0, 1]


def test_duplicates_name_track_and_row():
    with pytest.raises(ValueError, match="track 'b' row 7 occurs twice"):
        table_of("abb", [7, 7, 7], [0, 0, 0])


def test_rows_count_from_one():
    with pytest.raises(ValueError, match="track 'a' row 0: rows are counted from 1"):
        table_of("aa", [1, 0], [0, 0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"row": np.int32([2, 1])}, "track 'a' row 1 is out of order"),
        ({"va": np.zeros((2, 2))}, r"'va' is float64 \(2, 2\), expected float32 \(2, 2\)"),
        ({"filled": np.zeros(3, bool)}, r"'filled' is bool \(3,\), expected bool \(2,\)"),
        ({"time_ms": None}, "'time_ms' is NoneType"),
        ({"tracks": ("a", "b")}, "every one of the 2 tracks needs a row"),
        ({"tracks": ("a", "a")}, "a track name occurs twice"),
        ({"track": np.int32([0, 5])}, "outside the 1 tracks"),
    ],
)
def test_a_table_refuses_columns_that_do_not_fit(unchecked: None, change: dict, message: str):
    table = table_of("aa", [1, 2], [0, 0])
    columns = {name: getattr(table, name) for name in ("tracks", *RowTable.LAYOUT)}
    with pytest.raises(ValueError, match=message):
        RowTable(**columns | change)


def test_build_refuses_columns_it_does_not_know():
    with pytest.raises(TypeError, match="valence"):
        RowTable.build("a", [0], [1], valence=[0.0])
    with pytest.raises(ValueError, match="track numbers 0 to 1, expected 0 to 0"):
        RowTable.build("a", [0, 1], [1, 1])


def test_wanted_rows_by_length_and_by_name_are_the_same_rows():
    by_length = Rows.wanted({"b": 2, "none": 0, "a": 1})
    by_name = Rows.wanted([("b", 1), ("b", 2), ("a", 1)])
    for rows in (by_length, by_name):
        assert rows.tracks == ("b", "a")
        assert rows.track.tolist() == [0, 0, 1]
        assert rows.row.tolist() == [1, 2, 1]
    assert Rows.wanted(by_name) is by_name
    with pytest.raises(ValueError, match="-3 rows"):
        Rows.wanted({"a": -3})


def test_locate_matches_tracks_by_name():
    table = table_of("aabb", [1, 3, 1, 2], [0, 0, 0, 0])
    other = Rows.wanted([("x", 1), ("b", 2), ("a", 2), ("a", 3)])
    assert table.locate(other).tolist() == [-1, 3, -1, 1]
    assert Rows.wanted({}).locate(other).tolist() == [-1] * 4


def test_neighbours_include_the_row_itself_and_stay_in_the_track():
    known = Rows.wanted([("a", 2), ("a", 5), ("b", 3)])
    wanted = Rows.wanted([("a", 1), ("a", 2), ("a", 4), ("a", 6), ("b", 2), ("b", 3)])
    before, after = neighbours(known.keys, wanted.keys)
    assert before.tolist() == [-1, 0, 0, 1, -1, 2]
    assert after.tolist() == [0, 0, 1, -1, 2, 2]


def test_take_keeps_the_named_rows():
    taken = table_of("aab", [1, 2, 1], [0.1, 0.2, 0.3]).take(np.array([False, False, True]))
    assert taken.tracks == ("b",)
    np.testing.assert_array_equal(taken.va[:, 0], np.float32([0.3]))


def test_a_vector_that_is_nan_in_part_is_no_prediction():
    table = RowTable.build("a", [0, 0], [1, 2], va=[[0, np.nan], [0, 0]])
    assert table.predicted("va").tolist() == [False, True]
    assert table.tasks == ("va",)


def test_align_brings_predictions_into_the_order_of_the_labels():
    truth = Truth.build("ba", [0, 1], [1, 2], va=np.zeros((2, 2)), va_mask=[True, True])
    aligned = align(table_of("aab", [1, 2, 1], [0.1, 0.2, 0.3]), truth)
    assert aligned.tracks == ("b", "a")
    np.testing.assert_array_equal(aligned.va[:, 0], np.float32([0.3, 0.2]))


def test_align_says_how_many_rows_are_missing_and_which_is_first():
    truth = Truth.build("ab", [0, 0, 0, 1], [1, 2, 3, 9])
    with pytest.raises(ValueError, match=r"3 of 4 label rows .* first is track 'a' row 2: fill the gaps"):
        align(table_of("a", [1], [0.0]), truth)


def test_labels_need_their_mask():
    with pytest.raises(ValueError, match="'va' and 'va_mask' come together"):
        Truth.build("a", [0], [1], va=np.zeros((1, 2)))


def test_a_valid_label_out_of_range_is_refused_and_an_invalid_one_is_not():
    with pytest.raises(ValueError, match="track 'a' row 2: valid 'expr' is 8, expected 0 to 7"):
        Truth.build("a", [0, 0], [1, 2], expr=[-1, 8], expr_mask=[False, True])
    with pytest.raises(ValueError, match=r"track 'a' row 1: valid 'va' is .*expected finite"):
        Truth.build("a", [0, 0], [1, 2], va=[[0, np.nan], [np.nan, 0]], va_mask=[True, False])


def test_infinite_predictions_are_refused_by_name():
    with pytest.raises(ValueError, match="track 'a' row 2: 'va' is infinite"):
        RowTable.build(["a"], [0, 0], [1, 2], va=[[0.1, 0.1], [0.1, np.inf]])


def test_affect_is_clipped_to_its_range_and_nothing_else():
    table = RowTable.build("a", [0, 0], [1, 2], va=np.array([[1.5, -0.2], [-3.0, np.nan]]))
    np.testing.assert_array_equal(clipped(table).va, np.float32([[1, -0.2], [-1, np.nan]]))
    bare = RowTable.build("a", [0], [1], au=np.zeros((1, 12)))
    assert clipped(bare) is bare
