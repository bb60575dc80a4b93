"""Ensembles by hand, and against the centring formula written out."""

import numpy as np
import pytest

from abaw_jax.evaluation.ensemble import ccc_centred, mean
from abaw_jax.evaluation.table import RowTable


def run_of(*valence: float, **columns) -> RowTable:
    n = len(valence)
    va = np.stack([valence, np.zeros(n)], axis=1)
    return RowTable.build("a", [0] * n, range(1, n + 1), va=va, **columns)


def ccc(x: np.ndarray, y: np.ndarray) -> float:
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    denominator = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return 2 * covariance / denominator if denominator else 0.0


def centred_by_definition(x: np.ndarray) -> np.ndarray:
    """[runs, rows] of one track and one dimension; agreements above 0."""
    runs = range(len(x))
    agreement = np.array([np.mean([ccc(x[i], x[j]) for j in runs if j != i]) for i in runs])
    centre = x.mean(axis=1)
    moved = x - centre[:, None] + np.sum(centre * agreement) / np.sum(agreement)
    return moved.mean(axis=0)


def test_mean_by_hand():
    tables = [run_of(0.0, 0.5, no_face=[True, False]), run_of(1.0, 0.25, filled=[False, True])]
    together = mean(tables)
    np.testing.assert_array_equal(together.va[:, 0], np.float32([0.5, 0.375]))
    assert together.no_face.tolist() == [True, False]
    assert together.filled.tolist() == [False, True]
    np.testing.assert_array_equal(mean(tables, weights=[3, 1]).va[:, 0], np.float32([0.25, 0.4375]))


def test_mean_is_over_the_runs_that_predict_the_row():
    together = mean([run_of(np.nan, 0.5, np.nan), run_of(1.0, 0.25, np.nan)], weights=[1, 3])
    np.testing.assert_array_equal(together.va[:, 0], np.float32([1.0, 0.3125, np.nan]))


def test_mean_of_probabilities_stays_a_distribution():
    rng = np.random.default_rng(0)
    tables = [run_of(0.0, 0.0, expr=rng.dirichlet(np.ones(8), 2), au=rng.random((2, 12))) for _ in range(3)]
    for together in (mean(tables, [1, 2, 3]), ccc_centred(tables)):
        np.testing.assert_allclose(together.expr.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(ccc_centred(tables).au, mean(tables).au)


def test_tables_are_matched_by_track_name():
    a = RowTable.build("ab", [0, 1], [1, 1], va=[[0.0, 0], [1.0, 0]])
    b = RowTable.build("ba", [0, 1], [1, 1], va=[[0.5, 0], [0.25, 0]])
    together = mean([a, b])
    assert together.tracks == ("a", "b")
    np.testing.assert_array_equal(together.va[:, 0], np.float32([0.125, 0.75]))


def test_centring_is_its_definition_per_track_and_dimension():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(40, 2)) * 0.2
    track, row = np.repeat([0, 1], [15, 25]), np.arange(40) + 1
    runs = [signal + rng.normal(size=(40, 2)) * 0.05 + rng.normal(size=(1, 2)) * 0.05 for _ in range(4)]
    tables = [RowTable.build("ab", track, row, va=va) for va in runs]
    together = ccc_centred(tables)
    stored = np.stack([table.va for table in tables]).astype(np.float64)
    for t in range(2):
        for d in range(2):
            expected = centred_by_definition(stored[:, track == t, d])
            np.testing.assert_allclose(together.va[track == t, d], expected, atol=1e-7)
    assert not np.allclose(together.va, mean(tables).va, atol=1e-4)


def test_two_runs_agree_equally_so_centring_is_the_mean():
    tables = [run_of(0.1, 0.2, 0.4), run_of(0.3, 0.3, 0.7)]
    np.testing.assert_allclose(ccc_centred(tables).va, mean(tables).va, rtol=1e-6)
    np.testing.assert_array_equal(ccc_centred(tables[:1]).va, tables[0].va)


def test_an_outlier_in_level_has_less_say():
    runs = [np.linspace(-0.2, 0.2, 20) + offset for offset in (0.0, 0.01, 0.6)]
    level = ccc_centred([run_of(*run) for run in runs]).va[:, 0].mean()
    assert 0.0 < level < 0.75 * np.mean(runs)


def test_a_run_against_the_others_has_no_say_and_none_divides_by_zero():
    up = np.linspace(-0.2, 0.2, 20)
    together = ccc_centred([run_of(*up), run_of(*up), run_of(*(0.5 - up))]).va[:, 0]
    np.testing.assert_allclose(together, up / 3, atol=1e-6)  # level of the two, movement of all three
    opposed = ccc_centred([run_of(*up), run_of(*(0.4 - up))]).va[:, 0]
    np.testing.assert_allclose(opposed, 0.2, atol=1e-6)
    constant = ccc_centred([run_of(0.2, 0.2), run_of(0.2, 0.2), run_of(0.5, 0.5)]).va[:, 0]
    np.testing.assert_allclose(constant, 0.3, atol=1e-6)


def test_rows_that_some_run_lacks_are_moved_but_do_not_measure():
    x, y = [0.1, 0.2, 0.4, 0.3], [0.3, 0.3, 0.7, np.nan]
    together = ccc_centred([run_of(*x), run_of(*y)]).va[:, 0]
    np.testing.assert_allclose(together[:3], mean([run_of(*x[:3]), run_of(*y[:3])]).va[:, 0], rtol=1e-6)
    middle = (np.mean(x[:3]) + np.mean(y[:3])) / 2
    assert together[3] == pytest.approx(0.3 - np.mean(x[:3]) + middle, abs=1e-6)


def test_clipping_is_late():
    for ensemble in (mean, ccc_centred):
        together = ensemble([run_of(1.75, 1.75, 0.25), run_of(-0.25, 0.75, 0.25)])
        np.testing.assert_allclose(together.va[:, 0], [0.75, 1.0, 0.25], rtol=1e-6)


def test_tables_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="table 2 lacks 1 rows of the other, the first is track 'a' row 2"):
        mean([run_of(0.0, 0.0), run_of(0.0)])
    with pytest.raises(
        ValueError, match="the first table lacks 1 rows of the other, the first is track 'a' row 2"
    ):
        ccc_centred([run_of(0.0), run_of(0.0, 0.0)])
    with pytest.raises(ValueError, match=r"table 2 predicts \('va', 'au'\), the first one \('va',\)"):
        mean([run_of(0.0), run_of(0.0, au=np.zeros((1, 12)))])
    with pytest.raises(ValueError, match="at least one table"):
        mean([])
    for weights in ([1.0], [1.0, -1.0], [0.0, 0.0]):
        with pytest.raises(ValueError, match="for 2 tables: expected one each"):
            mean([run_of(0.0), run_of(0.0)], weights)
