"""Training signals on the device agree with the official scores and merge in any order."""

from collections.abc import Sequence
from functools import reduce

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from clu import metrics as clu_metrics

from abaw_jax.evaluation.scores import evaluate
from abaw_jax.evaluation.table import RowTable
from abaw_jax.evaluation.truth import Truth
from abaw_jax.metrics import AuF1, Ccc, ExprF1

METRICS = {"va": Ccc, "expr": ExprF1, "au": AuF1}
B, T = 24, 5


@flax.struct.dataclass
class Together(clu_metrics.Collection):
    va: Ccc
    expr: ExprF1
    au: AuF1


def random_outputs(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    va, expr = rng.uniform(-1, 1, (B, T, 2)), rng.integers(0, 7, (B, T))
    au = rng.random((B, T, 12)) < 0.3
    return {
        "va": (0.5 * va + rng.normal(size=va.shape) * 0.3 + 0.2).astype(np.float32),
        "va_label": va.astype(np.float32),
        "va_mask": rng.random((B, T)) < 0.8,
        "expr_logits": (np.eye(8)[expr] * 2 + rng.normal(size=(B, T, 8))).astype(np.float32),
        "expr_label": expr.astype(np.int32),
        "expr_mask": rng.random((B, T)) < 0.6,
        "au_logits": (au * 2 - 1 + rng.normal(size=au.shape)).astype(np.float32),
        "au_label": au.astype(np.float32),
        "au_mask": rng.random((B, T, 12)) < 0.9,
    }


def official(outputs: dict[str, np.ndarray]) -> dict[str, float]:
    flat = {name: array.reshape(B * T, *array.shape[2:]) for name, array in outputs.items()}
    place = ("a", np.zeros(B * T, int), np.arange(B * T) + 1)
    table = RowTable.build(
        *place, va=flat["va"], expr=flat["expr_logits"], au=1 / (1 + np.exp(-flat["au_logits"]))
    )
    names = [f"{task}{kind}" for task in METRICS for kind in ("_label", "_mask")]
    labels = {name.removesuffix("_label"): flat[name] for name in names}
    scores = evaluate(table, Truth.build(*place, **labels)).all_rows
    return {task: getattr(scores, task) for task in METRICS}


def pieces_of(metric: type, outputs: dict[str, np.ndarray], sizes: Sequence[int]) -> list:
    """One metric a piece of the batch, each compiled."""
    step = jax.jit(lambda piece: metric.from_model_output(**piece))
    cuts = np.cumsum(sizes)[:-1]
    parts = {name: np.split(array, cuts) for name, array in outputs.items()}
    return [step({name: part[i] for name, part in parts.items()}) for i in range(len(sizes))]


@pytest.mark.parametrize("task", METRICS)
@pytest.mark.parametrize("seed", range(5))
def test_metrics_agree_with_the_official_scores(task: str, seed: int):
    outputs = random_outputs(seed)
    metric = METRICS[task].from_model_output(**jax.tree.map(jnp.asarray, outputs))
    assert float(metric.compute()) == pytest.approx(official(outputs)[task], abs=1e-5)


@pytest.mark.parametrize("task", METRICS)
@pytest.mark.parametrize("sizes", [(24,), (8, 8, 8), (1, 20, 3)])
def test_metrics_merge_in_any_order_under_jit(task: str, sizes: tuple[int, ...]):
    outputs = random_outputs(0)
    pieces = [METRICS[task].empty(), *pieces_of(METRICS[task], outputs, sizes)]
    merge = jax.jit(lambda a, b: a.merge(b))
    for order in (pieces, pieces[::-1]):
        assert float(reduce(merge, order).compute()) == pytest.approx(official(outputs)[task], abs=1e-5)


def test_a_collection_takes_all_tasks_at_once():
    outputs = random_outputs(1)
    step = jax.jit(lambda total, batch: total.merge(Together.single_from_model_output(**batch)))
    total = step(Together.empty(), jax.tree.map(jnp.asarray, outputs))
    expected = official(outputs)
    assert {name: float(value) for name, value in total.compute().items()} == pytest.approx(
        expected, abs=1e-5
    )


@pytest.mark.parametrize("task", METRICS)
def test_nothing_valid_scores_zero(task: str):
    outputs = random_outputs(0)
    outputs |= {f"{task}_mask": np.zeros_like(outputs[f"{task}_mask"])}
    metric = METRICS[task].from_model_output(**jax.tree.map(jnp.asarray, outputs))
    assert float(metric.compute()) == 0.0
    assert float(METRICS[task].empty().compute()) == 0.0


@pytest.mark.parametrize("task", METRICS)
def test_what_lies_under_a_mask_never_matters(task: str):
    outputs = random_outputs(2)
    spoilt = {name: array.copy() for name, array in outputs.items()}
    prediction = "va" if task == "va" else f"{task}_logits"
    hidden = ~spoilt[f"{task}_mask"]
    spoilt[prediction][hidden] = np.nan
    spoilt[f"{task}_label"][hidden] = -5 if task == "va" else -1
    clean, dirty = (
        METRICS[task].from_model_output(**jax.tree.map(jnp.asarray, o)) for o in (outputs, spoilt)
    )
    assert float(clean.compute()) == float(dirty.compute())


def test_a_row_mask_serves_all_units():
    outputs = random_outputs(3)
    by_row = outputs["expr_mask"]
    by_unit = np.repeat(by_row[..., None], 12, axis=-1)
    scores = [
        AuF1.from_model_output(**jax.tree.map(jnp.asarray, outputs | {"au_mask": mask})).compute()
        for mask in (by_row, by_unit)
    ]
    assert scores[0] == scores[1] > 0


def test_constants_score_exactly_zero():
    outputs = random_outputs(0)
    for constant in (
        {"va": np.full((B, T, 2), 0.1, np.float32)},
        {"va_label": np.full((B, T, 2), 0.1, np.float32)},
    ):
        outputs |= constant  # the second round has both constant, and equal
        pieces = pieces_of(Ccc, outputs, (5, 19))
        assert pieces[0].merge(pieces[1]).ccc().tolist() == [0.0, 0.0]


def test_merging_keeps_digits_of_many_small_steps():
    """Sums of squares in float32 would lose a spread of 0.01 around 100."""
    rng = np.random.default_rng(0)
    x = (100 + 0.01 * rng.normal(size=(200, 50, 2))).astype(np.float32)
    y = (x + 0.01 * rng.normal(size=x.shape)).astype(np.float32)
    mask = jnp.ones((50,), bool)
    step = jax.jit(lambda total, a, b: total.merge(Ccc.from_model_output(a, b, mask)))
    total = Ccc.empty()
    for a, b in zip(x, y, strict=True):
        total = step(total, a, b)
    x, y = x.reshape(-1, 2).astype(np.float64), y.reshape(-1, 2).astype(np.float64)
    dx, dy = x - x.mean(0), y - y.mean(0)
    spread = (dx**2).mean(0) + (dy**2).mean(0) + (x.mean(0) - y.mean(0)) ** 2
    np.testing.assert_allclose(total.ccc(), 2 * (dx * dy).mean(0) / spread, atol=1e-3)
