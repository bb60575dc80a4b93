"""Bootstrap over tracks: draws, intervals that cover, differences that are found and ones that are not."""

import numpy as np
import pytest

from abaw_jax.evaluation.intervals import compare, draw_weights, intervals, resampled_scores
from abaw_jax.evaluation.scores import evaluate
from abaw_jax.evaluation.statistics import Statistics
from abaw_jax.evaluation.table import RowTable
from abaw_jax.evaluation.truth import Truth

ROWS = 30


def runs(seed: int, noises: tuple[float, ...], tracks: int = 40) -> list[Statistics]:
    """Several runs on the same tracks, each as good as its noise is small."""
    rng = np.random.default_rng(seed)
    place = (
        [f"t{i}" for i in range(tracks)],
        np.repeat(np.arange(tracks), ROWS),
        np.tile(np.arange(ROWS) + 1, tracks),
    )
    n = tracks * ROWS
    track_level = np.repeat(rng.normal(size=(tracks, 2)), ROWS, axis=0)
    va = 0.3 * track_level + 0.3 * rng.normal(size=(n, 2))
    expr, au = rng.integers(0, 8, n), rng.random((n, 12)) < 0.3
    mask = np.ones(n, bool)
    truth = Truth.build(
        *place, va=va, va_mask=mask, expr=expr, expr_mask=mask, au=au, au_mask=np.ones((n, 12), bool)
    )
    return [
        evaluate(
            RowTable.build(
                *place,
                va=va + noise * rng.normal(size=(n, 2)),
                expr=np.eye(8)[expr] + 4 * noise * rng.random((n, 8)),
                au=np.clip(0.5 + (au - 0.5) * 0.4 + noise * rng.normal(size=(n, 12)), 0, 1),
            ),
            truth,
        ).statistics
        for noise in noises
    ]


def test_weights_draw_as_many_tracks_as_there_are():
    weights = draw_weights(50, 400, seed=0)
    assert weights.shape == (400, 50)
    assert (weights.sum(axis=1) == 50).all()
    assert weights.mean() == 1.0
    # A multinomial count has variance (1 - 1/50); a permutation would have none.
    assert weights.var() == pytest.approx(1 - 1 / 50, rel=0.05)


def test_a_weight_counts_a_track_as_often_as_it_says():
    (statistics,) = runs(0, (0.5,), tracks=3)
    drawn = resampled_scores(statistics, np.array([[2, 0, 1]]))
    parts = [statistics.take(np.array([i])) for i in (0, 0, 2)]
    pooled = parts[0].merge(parts[1]).merge(parts[2])
    expected = resampled_scores(pooled, np.ones((1, 2)))
    assert set(drawn) == {"va", "valence", "arousal", "expr", "au", "mtl"}
    for name in drawn:
        assert drawn[name][0] == pytest.approx(expected[name][0], abs=1e-12)


def test_the_interval_is_around_the_score_and_the_same_for_the_same_seed():
    (statistics,) = runs(0, (0.5,))
    result = intervals(statistics, resamples=300, seed=7)
    for interval in result.values():
        assert interval.low < interval.score < interval.high
    assert result["mtl"].score == pytest.approx(sum(result[task].score for task in ("va", "expr", "au")))
    assert intervals(statistics, resamples=300, seed=7) == result
    assert intervals(statistics, resamples=300, seed=8) != result
    narrow = intervals(statistics, resamples=300, seed=7, level=0.5)
    assert narrow["va"].high - narrow["va"].low < result["va"].high - result["va"].low


def test_the_interval_does_not_depend_on_how_statistics_were_merged():
    (statistics,) = runs(0, (0.5,))
    first, second = statistics.take(np.arange(15)), statistics.take(np.arange(15, 40))
    expected = intervals(statistics, resamples=100)
    merged = intervals(second.merge(first), resamples=100)
    for name in expected:
        assert merged[name].low == pytest.approx(expected[name].low, abs=1e-12)


def test_intervals_cover_the_score_of_the_population():
    (population,) = runs(1, (0.6,), tracks=2000)
    truth = intervals(population, resamples=1)
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(60):
        sample = intervals(
            population.take(np.sort(rng.choice(2000, 60, replace=False))), resamples=200, seed=seed
        )
        hits += sample["va"].low <= truth["va"].score <= sample["va"].high
    assert 50 <= hits <= 60


def test_a_constant_run_scores_zero_in_every_resample():
    place = ("ab", np.repeat([0, 1], 5), np.tile(np.arange(5) + 1, 2))
    label = np.random.default_rng(0).uniform(-1, 1, (10, 2))
    truth = Truth.build(*place, va=label, va_mask=np.ones(10, bool))
    statistics = evaluate(RowTable.build(*place, va=np.full((10, 2), 0.1)), truth).statistics
    assert intervals(statistics, resamples=50)["va"].low == 0.0
    assert intervals(statistics, resamples=50)["va"].high == 0.0


def test_a_better_run_is_found():
    better, worse = runs(2, (0.4, 0.6))
    for comparison in compare(better, worse, resamples=500).values():
        assert comparison.low > 0
        assert comparison.low <= comparison.difference <= comparison.high
        assert comparison.p_value < 0.01
        assert comparison.share_better > 0.99
    for name, comparison in compare(worse, better, resamples=500).items():
        assert comparison.high < 0, name
        assert comparison.share_better == 0.0


def test_equal_runs_do_not_differ():
    run, again = runs(3, (0.5, 0.5))
    for comparison in compare(run, run, resamples=200).values():
        assert (comparison.difference, comparison.low, comparison.high) == (0, 0, 0)
        assert (comparison.p_value, comparison.share_better) == (1.0, 0.0)
    other = compare(run, again, resamples=499)["mtl"]
    tail = min(other.share_better, 1 - other.share_better)
    assert other.p_value == pytest.approx(2 * (tail * 499 + 1) / 500)  # two-sided, the run itself counted in
    assert other.p_value > 0.05


def test_pairing_is_sharper_than_two_intervals():
    better, worse = runs(4, (0.5, 0.55))
    paired = compare(better, worse)["va"]
    alone = [intervals(run)["va"] for run in (better, worse)]
    unpaired_width = np.hypot(*(interval.high - interval.low for interval in alone))
    assert paired.high - paired.low < 0.5 * unpaired_width


def test_tracks_without_valid_rows_are_not_drawn():
    (statistics,) = runs(5, (0.5,), tracks=10)
    blank = Statistics(("zz",), None, np.zeros((1, 8, 8), np.int64), None)
    assert intervals(statistics.merge(blank), resamples=50) == intervals(statistics, resamples=50)


def test_runs_that_cannot_be_paired_are_refused():
    (run,) = runs(6, (0.5,), tracks=4)
    with pytest.raises(ValueError, match="differ in 1 tracks, the first is 't3'"):
        compare(run, run.take(np.arange(3)))
    with pytest.raises(ValueError, match="different tasks"):
        compare(run, Statistics(run.tracks, run.va, None, None))
    fewer = Statistics(run.tracks, run.va, run.expr // 2, run.au)
    with pytest.raises(ValueError, match="valid 'expr' rows in track 't0'"):
        compare(run, fewer)
    with pytest.raises(ValueError, match="needs tracks"):
        intervals(run.take(np.arange(0)))
