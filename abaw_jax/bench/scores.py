"""Score three million rows in one pass, then draw intervals from a thousand resamples.

The other side is what a user would write: float64 moments by numpy over the pooled rows, once, and for an
interval the same again for every resample of tracks.
"""

import statistics

import numpy as np

from abaw_jax.bench.timing import in_turn, report, spread
from abaw_jax.evaluation.intervals import intervals
from abaw_jax.evaluation.scores import evaluate
from abaw_jax.evaluation.table import RowTable
from abaw_jax.evaluation.truth import Truth

TRACKS = 594
ROWS = 3_000_000
RESAMPLES = 1000
PLAIN_RESAMPLES = 3
"""Of the plain way; a thousand would take minutes, so its time is scaled."""

SCORED = {"all_tasks": "score va, expr and au", "va": "score va"}


def run(rounds: int) -> None:
    """All three tasks at once, VA alone, the intervals, and the plain way for VA."""
    table, truth = random_run()
    statistics_of = evaluate(table, truth).statistics
    va_table = RowTable.build(table.tracks, table.track, table.row, va=table.va)
    taken = in_turn(
        {
            "score va, expr and au": lambda: evaluate(table, truth),
            "score va": lambda: evaluate(va_table, truth),
            "interval of 1,000 resamples": lambda: intervals(statistics_of, resamples=RESAMPLES),
            "plain interval of 3 resamples": lambda: plain_interval(table, truth),
        },
        rounds,
    )
    for name, values in taken.items():
        print(f"{name}: {spread(values)} s")
    ours = statistics.median(taken["interval of 1,000 resamples"])
    theirs = statistics.median(taken["plain interval of 3 resamples"]) * RESAMPLES / PLAIN_RESAMPLES
    score = {f"score_{name}_s": round(statistics.median(taken[key]), 3) for name, key in SCORED.items()}
    report("scores", ours, theirs, "s for an interval", theirs / ours, **score)


def random_run() -> tuple[RowTable, Truth]:
    """Predictions and labels of every task for every row."""
    rng = np.random.default_rng(0)
    edges = np.sort(rng.choice(np.arange(1, ROWS), TRACKS - 1, replace=False))
    lengths = np.diff(np.concatenate([[0], edges, [ROWS]]))
    names = [f"track{number}" for number in range(TRACKS)]
    track = np.repeat(np.arange(TRACKS), lengths)
    row = np.arange(ROWS) - np.repeat(np.concatenate([[0], edges]), lengths) + 1
    va = rng.uniform(-1, 1, (ROWS, 2))
    table = RowTable.build(
        names, track, row,
        va=va + rng.normal(0, 0.3, va.shape), expr=rng.random((ROWS, 8)), au=rng.random((ROWS, 12)),
    )  # fmt: skip
    truth = Truth.build(
        names, track, row,
        va=va, va_mask=rng.random(ROWS) < 0.99,
        expr=rng.integers(0, 8, ROWS), expr_mask=rng.random(ROWS) < 0.6,
        au=rng.integers(0, 2, (ROWS, 12)), au_mask=np.ones((ROWS, 12), bool),
    )  # fmt: skip
    return table, truth


def plain_interval(table: RowTable, truth: Truth) -> list[float]:
    """Concatenate the drawn tracks and score them, again and again."""
    rng = np.random.default_rng(0)
    spans = [slice(start, stop) for start, stop in zip(truth.bounds[:-1], truth.bounds[1:], strict=True)]
    drawn = []
    for _ in range(PLAIN_RESAMPLES):
        chosen = rng.integers(0, TRACKS, TRACKS)
        mask = np.concatenate([truth.va_mask[spans[i]] for i in chosen])
        x = np.concatenate([table.va[spans[i]] for i in chosen])[mask].astype(float)
        y = np.concatenate([truth.va[spans[i]] for i in chosen])[mask]
        covariance = ((x - x.mean(0)) * (y - y.mean(0))).mean(0)
        drawn.append(float((2 * covariance / (x.var(0) + y.var(0) + (x.mean(0) - y.mean(0)) ** 2)).mean()))
    return drawn
