"""Grids against their definition; fingerprints that tell every difference and nothing else."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abaw_jax.store.spec import FeatureSpec, Grid, check_name, differences

SPEC = FeatureSpec("clip", (4,), Grid(), {"weights": "abc", "pixels": {"size": [8, 8]}})


def test_every_row_has_a_vector_unless_fewer_are_asked_for():
    assert Grid().rows(5, 30.0).tolist() == [1, 2, 3, 4, 5]
    assert Grid(sample_hz=10.0).rows(7, 30.0).tolist() == [1, 4, 7]
    assert Grid(sample_hz=4.0).rows(30, 30.0).tolist() == [1, 8, 16, 23]
    assert Grid(sample_hz=50.0).rows(3, 30.0).tolist() == [1, 2, 3]
    assert Grid().rows(0, None).tolist() == []


@given(st.integers(0, 2000), st.floats(5, 60), st.floats(0.5, 30))
def test_sampled_rows_are_the_ones_shown_at_their_times(rows: int, fps: float, sample_hz: float):
    found = Grid(sample_hz=sample_hz).rows(rows, fps)
    if sample_hz >= fps:
        assert len(found) == rows
        return
    assert len(found) == math.ceil(rows * sample_hz / fps)
    assert (np.diff(found) >= 1).all() and ((found >= 1) & (found <= rows)).all()
    shown_at = (found - 1) / fps
    assert (np.abs(shown_at - np.arange(len(found)) / sample_hz) <= 1 / fps + 1e-9).all()


def test_a_native_grid_has_times_and_no_rows():
    grid = Grid("native", rate_hz=50.0, start_s=0.01)
    np.testing.assert_allclose(grid.times_s(3), [0.01, 0.03, 0.05])
    with pytest.raises(ValueError, match="no rows"):
        grid.rows(3, 30.0)


@pytest.mark.parametrize(
    "entries",
    [{"kind": "frames"}, {"kind": "native"}, {"rate_hz": 5.0}, {"sample_hz": 0.0}, {"sample_hz": math.inf}],
)
def test_impossible_grids_are_refused(entries: dict):
    with pytest.raises(ValueError, match=r"expected|native grid"):
        Grid(**entries)


def test_sampling_without_a_clock_is_refused():
    with pytest.raises(ValueError, match="track's rate"):
        Grid(sample_hz=4.0).rows(10, None)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": (5,)},
        {"dtype": "bfloat16"},
        {"grid": Grid(sample_hz=4.0)},
        {"identity": {"weights": "abd", "pixels": {"size": [8, 8]}}},
        {"identity": {"weights": "abc", "pixels": {"size": [8, 9]}}},
    ],
)
def test_a_fingerprint_covers_everything_that_changes_features(change: dict):
    assert dataclasses.replace(SPEC, **change).fingerprint != SPEC.fingerprint


def test_a_fingerprint_knows_neither_the_name_nor_the_order_of_keys():
    same = {"pixels": {"size": [8, 8]}, "weights": "abc"}
    assert dataclasses.replace(SPEC, name="other", identity=same).fingerprint == SPEC.fingerprint
    assert FeatureSpec.from_dict(SPEC.as_dict()) == FeatureSpec.from_dict(SPEC.as_dict())
    assert FeatureSpec.from_dict(SPEC.as_dict()).fingerprint == SPEC.fingerprint


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "a\0", "a\n"])
def test_names_that_could_leave_the_folder_are_refused(name: str):
    with pytest.raises(ValueError, match="expected letters, digits"):
        check_name(name)


def test_differences_name_the_place_what_was_found_and_what_was_expected():
    found = list(differences({"a": {"b": 1, "c": 2}, "d": "x" * 99}, {"a": {"b": 1, "c": 3}, "e": None}))
    assert found[0] == "a.c: found 2, expected 3"
    assert found[1].startswith("d: found xxxxxxxxxxxxxxxx…") and found[1].endswith("expected nothing")
    assert found[2] == "e: found nothing, expected null"
