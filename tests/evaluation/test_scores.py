"""Official scores against their definitions written plainly, at the edges, and under every split."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abaw_jax.evaluation.moments import Moments
from abaw_jax.evaluation.scores import Scores, evaluate
from abaw_jax.evaluation.statistics import Statistics, collect
from abaw_jax.evaluation.table import RowTable
from abaw_jax.evaluation.truth import Truth
from abaw_jax.labels import ACTION_UNITS, EXPRESSIONS


def ccc_by_definition(x: np.ndarray, y: np.ndarray) -> float:
    """Two passes, population moments."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    if len(x) == 0:
        return 0.0
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    denominator = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return 2 * covariance / denominator if denominator > 1e-30 else 0.0


def f1_by_definition(decision: np.ndarray, label: np.ndarray) -> float:
    hits = false_alarms = misses = 0
    for d, t in zip(decision.tolist(), label.tolist(), strict=True):
        hits += d and t
        false_alarms += d and not t
        misses += t and not d
    return 2 * hits / (2 * hits + false_alarms + misses) if hits + false_alarms + misses else 0.0


def mtl_by_definition(table: RowTable, truth: Truth, among: np.ndarray) -> tuple[float, float, float, float]:
    rows = truth.va_mask & among
    va = np.mean([ccc_by_definition(table.va[rows, d], truth.va[rows, d]) for d in range(2)])
    rows = truth.expr_mask & among
    decision, label = table.expr[rows].argmax(axis=1), truth.expr[rows]
    expr = np.mean([f1_by_definition(decision == c, label == c) for c in range(8)])
    rows = truth.au_mask & among[:, None]
    au = [table.au[rows[:, u], u] >= 0.5 for u in range(12)]
    au = np.mean([f1_by_definition(au[u], truth.au[rows[:, u], u] == 1) for u in range(12)])
    return va, expr, au, va + expr + au


def random_case(seed: int, n: int = 60, tracks: int = 4) -> tuple[RowTable, Truth]:
    """Predictions that follow the labels a little, masks of any density, some of it constant."""
    rng = np.random.default_rng(seed)
    track, row = rng.integers(0, tracks, n), np.arange(n) + 1
    names = [f"t{i}" for i in rng.permutation(tracks)]
    va = rng.uniform(-1, 1, (n, 2)).round(int(rng.integers(0, 4)))
    expr, au = rng.integers(0, rng.integers(1, 9), n), rng.random((n, 12)) < rng.random(12)
    truth = Truth.build(
        names, track, row, has_image=rng.random(n) < rng.random(),
        va=va, va_mask=rng.random(n) < rng.random(),
        expr=expr, expr_mask=rng.random(n) < rng.random(),
        au=au, au_mask=rng.random((n, 12)) < rng.random(),
    )  # fmt: skip
    table = RowTable.build(
        names, track, row,
        va=va * rng.integers(0, 2, 2) + rng.normal(size=(n, 2)) * rng.integers(0, 2, 2),
        expr=np.eye(8)[expr] + rng.random((n, 8)),
        au=np.clip(au * 0.3 + rng.random((n, 12)) * 0.7, 0, 1),
    )  # fmt: skip
    return table, truth


def va_case(x: np.ndarray, y: np.ndarray, valid: np.ndarray | None = None) -> tuple[RowTable, Truth]:
    """One track; the same pairs for valence and arousal."""
    n = len(x)
    place = ("a", np.zeros(n, int), np.arange(n) + 1)
    valid = np.ones(n, bool) if valid is None else valid
    both = (np.stack([v, v], axis=1) for v in (x, y))
    return RowTable.build(*place, va=next(both)), Truth.build(*place, va=next(both), va_mask=valid)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_scores_are_their_definition(seed: int):
    table, truth = random_case(seed)
    result = evaluate(table, truth)
    for scores, among in ((result.all_rows, np.ones(60, bool)), (result.with_image, truth.has_image)):
        expected = mtl_by_definition(table, truth, among)
        assert (scores.va, scores.expr, scores.au, scores.mtl) == pytest.approx(expected, abs=1e-9)
        assert scores.valid_rows["va"] == (truth.va_mask & among).sum()
        assert scores.valid_rows["expr"] == (truth.expr_mask & among).sum()


def test_ccc_pools_rows_of_all_tracks_by_hand():
    """Predictions 0 1 | 2 3, labels 1 1 | 3 3: 0.8 pooled, whereas within each track nothing covaries."""
    table = RowTable.build("ab", [0, 0, 1, 1], [1, 2, 1, 2], va=[[0, 0], [1, 1], [2, 2], [3, 3]])
    truth = Truth.build(
        "ab", [0, 0, 1, 1], [1, 2, 1, 2], va=[[1, 0], [1, 1], [3, 2], [3, 3]], va_mask=np.ones(4, bool)
    )
    scores = evaluate(table, truth).all_rows
    assert scores.ccc == pytest.approx({"valence": 2 * 1.0 / (1.25 + 1.0 + 0.25), "arousal": 1.0})
    assert scores.va == pytest.approx(0.9)


def test_f1_by_hand():
    """Labels N N A A, decisions N A A H: F1 of Neutral 2/3, Anger 1/2, six others 0."""
    place = ("a", [0] * 4, [1, 2, 3, 4])
    au, label = np.zeros((4, 12)), np.zeros((4, 12), int)
    au[:, 0], label[:, 0] = [0.9, 0.5, 0.4, 0.1], [1, 0, 1, 0]
    table = RowTable.build(*place, expr=np.eye(8)[[0, 1, 1, 4]], au=au)
    truth = Truth.build(
        *place, expr=[0, 0, 1, 1], expr_mask=np.ones(4, bool), au=label, au_mask=np.ones((4, 12), bool)
    )
    scores = evaluate(table, truth).all_rows
    assert scores.expr_f1 == pytest.approx(
        dict.fromkeys(EXPRESSIONS, 0.0) | {"Neutral": 2 / 3, "Anger": 1 / 2}
    )
    assert scores.expr == pytest.approx((2 / 3 + 1 / 2) / 8)
    assert scores.au_f1 == pytest.approx(dict.fromkeys(ACTION_UNITS, 0.0) | {"AU1": 1 / 2})
    assert scores.au == pytest.approx(1 / 24)
    lower = evaluate(table, truth, thresholds=[0.4] + [0.5] * 11).all_rows
    assert lower.au_f1["AU1"] == pytest.approx(2 * 2 / (3 + 2))
    assert scores.va is None
    assert scores.mtl is None


@pytest.mark.parametrize("n", [1, 7, 5000])
@pytest.mark.parametrize("constant", [0.1, -0.7, 1 / 3])
def test_constants_score_exactly_zero(n: int, constant: float):
    """Labels are float64, and n times a float64 constant does not sum to n times it."""
    varying = np.random.default_rng(n).uniform(-1, 1, n)
    for x, y in ((np.full(n, constant), varying), (varying, np.full(n, constant))):
        ccc = evaluate(*va_case(x, y)).all_rows.ccc
        assert ccc == {"valence": 0.0, "arousal": 0.0}
    for other in (constant, constant / 2, float(np.float32(constant))):
        assert evaluate(*va_case(np.full(n, constant), np.full(n, other))).all_rows.va == 0.0


@pytest.mark.parametrize("seed", range(8))
def test_constants_stay_exact_across_tracks(seed: int):
    rng = np.random.default_rng(seed)
    n = 3000
    place = ([f"t{i}" for i in range(37)], rng.integers(0, 37, n), np.arange(n) + 1)
    varying, constant = rng.uniform(-1, 1, (n, 2)), np.full((n, 2), rng.uniform(-1, 1))
    for prediction, label in ((constant, varying), (varying, constant), (constant, np.float32(constant))):
        table = RowTable.build(*place, va=prediction)
        truth = Truth.build(*place, va=label, va_mask=rng.random(n) < 0.9)
        assert evaluate(table, truth).all_rows.va == 0.0


def test_large_offsets_do_not_cost_digits():
    rng = np.random.default_rng(0)
    x = (1000 + rng.normal(size=20_000) * 0.01).astype(np.float32)
    y = x + rng.normal(size=20_000) * 0.01
    assert evaluate(*va_case(x, y)).all_rows.va == pytest.approx(ccc_by_definition(x, y), abs=1e-9)


def test_no_valid_row_scores_zero():
    table, truth = random_case(0)
    masks = {name: np.zeros_like(getattr(truth, name)) for name in ("va_mask", "expr_mask", "au_mask")}
    columns = {name: getattr(truth, name) for name in Truth.LAYOUT}
    scores = evaluate(table, Truth(tracks=truth.tracks, **columns | masks)).all_rows
    assert (scores.va, scores.expr, scores.au, scores.mtl) == (0, 0, 0, 0)
    assert scores.valid_rows == {"va": 0, "expr": 0, "au": 0}


def test_what_lies_under_a_mask_never_matters():
    x, y = np.random.default_rng(0).normal(size=(2, 20))
    valid = np.arange(20) % 3 > 0
    expected = evaluate(*va_case(x[valid], y[valid])).all_rows
    x[~valid], y[~valid] = np.nan, -5.0
    assert evaluate(*va_case(x, y, valid)).all_rows.va == pytest.approx(expected.va, abs=1e-12)


def test_a_missing_prediction_on_a_valid_row_is_an_error():
    x = np.zeros(5)
    x[[1, 3]] = np.nan
    valid = np.array([True, False, True, True, True])
    with pytest.raises(ValueError, match=r"1 rows with a valid 'va' label .* first is track 'a' row 4: fill"):
        evaluate(*va_case(x, np.zeros(5), valid))


@pytest.mark.parametrize("task", ["expr", "au"])
def test_missing_probabilities_on_valid_rows_are_an_error(task: str):
    table, truth = random_case(3)
    row = int(getattr(truth, f"{task}_mask").reshape(60, -1).all(axis=1).argmax())
    getattr(table, task)[row] = np.nan
    with pytest.raises(ValueError, match=f"valid '{task}' label have no finite prediction"):
        evaluate(table, truth)


def test_rows_without_prediction_are_not_scored_as_if_absent():
    table, truth = random_case(0)
    with pytest.raises(ValueError, match="fill the gaps first"):
        evaluate(table.take(np.arange(50)), truth)


def test_nothing_in_common_is_an_error():
    table, truth = va_case(np.zeros(3), np.zeros(3))
    blank = RowTable.build(table.tracks, table.track, table.row, au=np.zeros((3, 12)))
    with pytest.raises(ValueError, match=r"nothing to score: predictions of \('au',\), labels of \('va',\)"):
        evaluate(blank, truth)


def test_the_result_is_json():
    result = evaluate(*random_case(1))
    scores = json.loads(json.dumps(result.as_dict()))
    assert set(scores) == {"all_rows", "with_image"}
    assert scores["all_rows"]["mtl"] == result.all_rows.mtl
    assert len(scores["with_image"]["au_f1"]) == 12


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_statistics_merge_by_any_split_in_any_order(seed: int, parts: int):
    table, truth = random_case(seed)
    whole, _ = collect(table, truth)
    rng = np.random.default_rng(seed)
    part = rng.integers(0, parts, len(table))  # cuts through tracks
    pieces = [
        collect(table.take(part == p), truth.take(part == p))[0] for p in range(parts) if np.any(part == p)
    ]
    while len(pieces) > 1:
        i, j = rng.permutation(len(pieces))[:2]
        pieces = [piece for k, piece in enumerate(pieces) if k not in (i, j)] + [pieces[i].merge(pieces[j])]
    assert_same(pieces[0], whole)
    merged, scores = Scores.of(pieces[0]), Scores.of(whole)
    assert (merged.va, merged.expr, merged.au) == pytest.approx((scores.va, scores.expr, scores.au), abs=1e-9)


def test_tasks_from_different_runs_come_together():
    table, truth = random_case(5)
    whole, _ = collect(table, truth)
    va_only = Statistics(whole.tracks, whole.va, None, None)
    others = Statistics(whole.tracks, None, whole.expr, whole.au)
    assert_same(va_only.merge(others), whole)


def test_an_empty_part_changes_nothing():
    part = Moments.of(np.ones((3, 2)), np.eye(3, 2), np.array([1, 1, 2]), 4)
    empty = Moments(*(np.zeros((4, 2)) for _ in range(6)))
    for merged in (part.merge(empty), empty.merge(part)):
        for mine, expected in zip(merged, part, strict=True):
            np.testing.assert_array_equal(mine, expected)


def assert_same(a: Statistics, b: Statistics):
    assert a.tracks == b.tracks
    np.testing.assert_array_equal(a.expr, b.expr)
    np.testing.assert_array_equal(a.au, b.au)
    for mine, other in zip(a.va, b.va, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-9)
