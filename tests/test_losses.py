"""Losses are what their definitions say in float64, keep their digits, and never see under a mask."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from abaw_jax import losses
from abaw_jax.labels import WIDTHS

B, T = 4, 6
C, U = WIDTHS["expr"], WIDTHS["au"]
CLASS_WEIGHTS, UNIT_WEIGHTS = (np.linspace(0.2, 3, width, dtype=np.float32) for width in (C, U))
CASES = {
    "va window": {"over": "window", "weights": (0.3, 1.2)},
    "va batch": {"over": "batch"},
    "va pooled": {"over": "pooled"},
    "va mixed": {"ccc": 0.5, "mse": 2.0, "l1": 0.7, "weights": (1.0, 0.2)},
    "expr plain": {},
    "expr weighted": {"class_weights": CLASS_WEIGHTS, "label_smoothing": 0.1},
    "expr focal": {"class_weights": CLASS_WEIGHTS, "focal_gamma": 2.0},
    "expr coarse": {"class_weights": CLASS_WEIGHTS, "coarse": 0.5},
    "au plain": {},
    "au weighted": {"weights": UNIT_WEIGHTS, "positive_weights": UNIT_WEIGHTS[::-1].copy()},
    "au focal": {"positive_weights": UNIT_WEIGHTS, "focal_gamma": 0.5, "soft_f1": 0.4},
}
every_case = pytest.mark.parametrize("case", CASES)


def true_ccc(x: np.ndarray, y: np.ndarray) -> float:
    spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return 2 * np.mean((x - x.mean()) * (y - y.mean())) / spread if spread > 0 else 0.0


def true_va(x, y, mask, ccc=1.0, mse=0.0, l1=0.0, over="window", weights=(0.5, 0.5)) -> float:
    groups = {"window": list(np.ndindex(B)), "batch": [(slice(None), t) for t in range(T)], "pooled": [...]}
    total = 0.0
    for d, weight in enumerate(weights):
        pairs = [(x[g][mask[g], d], y[g][mask[g], d]) for g in groups[over] if mask[g].sum() > 1]
        total += weight * ccc * np.mean([1 - true_ccc(*pair) for pair in pairs])
        error = (x - y)[mask][:, d]
        total += weight * (mse * np.mean(error**2) + l1 * np.mean(np.abs(error)))
    return total


COARSE = np.array([0, 3, 3, 3, 1, 3, 2, 4])
"""Neutral, happy, surprised, negative, other: of each of the eight."""


def true_expr(x, y, mask, class_weights=None, label_smoothing=0.0, focal_gamma=0.0, coarse=0.0) -> float:
    weights = np.ones(C) if class_weights is None else class_weights.astype(float)
    loss = 0.0
    for logits, label in zip(x[mask], y[mask], strict=True):
        p = np.exp(logits) / np.exp(logits).sum()
        row = -(1 - label_smoothing) * weights[label] * np.log(p[label])
        row -= label_smoothing / C * (weights * np.log(p)).sum()
        loss += row * (1 - p[label]) ** focal_gamma
    p = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    alike = [q[COARSE[label] == COARSE].sum() for q, label in zip(p[mask], y[mask], strict=True)]
    return loss / weights[y[mask]].sum() - coarse * np.mean(np.log(alike))


def true_au(x, y, mask, weights=None, positive_weights=None, focal_gamma=0.0, soft_f1=0.0) -> float:
    weights, positive = (np.ones(U) if w is None else w.astype(float) for w in (weights, positive_weights))
    p = 1 / (1 + np.exp(-x))
    terms = -y * positive * np.log(p) * (1 - p) ** focal_gamma - (1 - y) * np.log(1 - p) * p**focal_gamma
    units = [m for m in (mask & (np.arange(U) == u) for u in range(U)) if m.any()]
    f1 = [2 * (p * y)[m].sum() / (p + y)[m].sum() for m in units]
    return (weights * terms)[mask].mean() + soft_f1 * np.mean(1 - np.array(f1))


LOSSES = {
    "va": (losses.va_loss, true_va),
    "expr": (losses.expr_loss, true_expr),
    "au": (losses.au_loss, true_au),
}


def loss_of(case: str) -> tuple[Callable, Callable]:
    """A loss with its definition, both as functions of predictions, labels and mask."""
    ours, truth = LOSSES[case.split()[0]]
    return (lambda *a: ours(*a, **CASES[case])), (lambda *a: truth(*a, **CASES[case]))


def random_batch(case: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """With a clip that has one valid row, and a unit that has none."""
    rng = np.random.default_rng(seed)
    task = case.split()[0]
    mask = rng.random((B, T, U) if task == "au" else (B, T)) < 0.7
    mask[0] = False
    mask[0, 0] = True
    if task == "au":
        mask[..., 3] = False
    predicted = rng.normal(size=(B, T, WIDTHS[task])).astype(np.float32)
    labels = {
        "va": (0.5 * predicted[..., :2] + rng.normal(size=(B, T, 2))).astype(np.float32),
        "expr": rng.integers(C, size=(B, T)),
        "au": rng.integers(2, size=(B, T, U)),
    }
    return predicted, labels[task], mask


every_over = pytest.mark.parametrize("over", losses.GROUPINGS)
CCC_STEPS = {
    over: jax.jit(jax.value_and_grad(partial(losses.ccc_loss, over=over))) for over in losses.GROUPINGS
}
STEPS = {case: jax.jit(jax.value_and_grad(loss_of(case)[0])) for case in CASES}


@every_case
@pytest.mark.parametrize("seed", range(3))
def test_losses_and_gradients_are_those_of_their_definition(case: str, seed: int):
    predicted, wanted, mask = random_batch(case, seed)
    truth, x = loss_of(case)[1], predicted.astype(np.float64)
    loss, gradient = STEPS[case](predicted, wanted, mask)
    assert loss == pytest.approx(truth(x, wanted, mask), rel=1e-5)
    differences = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = 1e-5
        differences[i] = (truth(x + step, wanted, mask) - truth(x - step, wanted, mask)) / 2e-5
    np.testing.assert_allclose(gradient, differences, atol=1e-6, rtol=1e-4)


@every_case
@settings(max_examples=20)
@given(data=st.data())
def test_what_lies_under_a_mask_never_matters(case: str, data: st.DataObject):
    predicted, wanted, mask = random_batch(case)
    mask = data.draw(hnp.arrays(bool, mask.shape))
    garbage = st.sampled_from([np.nan, np.inf, -np.inf, 3e38, -5.0])
    spoilt = predicted.copy()
    spoilt[~mask] = data.draw(garbage)
    hidden = wanted.copy()
    hidden[~mask] = data.draw(garbage if wanted.dtype.kind == "f" else st.sampled_from([-1, 99, -(2**31)]))
    clean, dirty = STEPS[case](predicted, wanted, mask), STEPS[case](spoilt, hidden, mask)
    for ours, theirs in zip(clean, dirty, strict=True):
        assert np.isfinite(ours).all()
        np.testing.assert_array_equal(ours, theirs)
    assert not np.asarray(dirty[1])[~mask].any()


@every_case
def test_nothing_valid_costs_nothing(case: str):
    predicted, wanted, mask = random_batch(case)
    loss, gradient = STEPS[case](np.full_like(predicted, np.nan), wanted, np.zeros_like(mask))
    assert loss == 0 and not np.asarray(gradient).any()


@every_case
@given(order=st.permutations(range(B)))
def test_the_order_of_clips_does_not_matter(case: str, order: list[int]):
    batch = random_batch(case)
    loss, gradient = STEPS[case](*batch)
    other, moved = STEPS[case](*(array[order] for array in batch))
    assert other == pytest.approx(float(loss), rel=1e-5)
    np.testing.assert_allclose(moved, np.asarray(gradient)[order], atol=1e-6)


@every_case
def test_losses_are_float32_inside(case: str):
    predicted, wanted, mask = random_batch(case)
    halved = jnp.asarray(predicted, jnp.bfloat16)
    loss, gradient = STEPS[case](halved, wanted, mask)
    assert loss.dtype == jnp.float32 and gradient.dtype == jnp.bfloat16
    exact, _ = STEPS[case](halved.astype(jnp.float32), wanted, mask)
    assert loss == pytest.approx(float(exact), rel=1e-6)
    with jax.enable_x64(True):
        assert STEPS[case](predicted.astype(np.float64), wanted, mask)[0].dtype == jnp.float32


@every_over
def test_perfect_predictions_have_no_ccc_loss(over: str):
    predicted, _, mask = random_batch("va")
    loss, gradient = CCC_STEPS[over](predicted, predicted, mask)
    assert abs(loss) < 1e-6
    np.testing.assert_allclose(gradient, 0, atol=1e-6)


@every_over
@pytest.mark.parametrize("spread", [0.0, 1e-9, 1e-12, 1e-18])
def test_where_nothing_varies_the_ccc_is_0_and_its_gradient_finite(over: str, spread: float):
    noise = random_batch("va")[0] * np.float32(spread)
    for x, y in ((0.1, 0.1), (0.0, 0.0), (0.1, -0.3), (777.7, 777.7)):
        batch = np.float32(x) + noise, np.float32(y) + noise[::-1, ::-1], np.ones((B, T), bool)
        loss, gradient = CCC_STEPS[over](*batch)
        assert loss == pytest.approx(1)
        assert np.isfinite(gradient).all()


@every_over
def test_ccc_keeps_its_digits_far_from_zero(over: str):
    predicted, wanted, mask = random_batch("va")
    far = predicted + np.float32(1e3), wanted + np.float32(1e3)
    truth = true_va(*(array.astype(np.float64) for array in far), mask, over=over)
    assert CCC_STEPS[over](*far, mask)[0] == pytest.approx(truth, rel=1e-5)


def test_shares_of_the_va_loss_are_the_losses_of_that_name():
    batch = tuple(map(jnp.asarray, random_batch("va")))
    for name, loss in (("ccc", losses.ccc_loss), ("mse", losses.mse), ("l1", losses.l1)):
        shares = {"ccc": 0.0} | {name: 3.0}
        assert losses.va_loss(*batch, **shares) == pytest.approx(3 * float(loss(*batch)))


@pytest.mark.parametrize("task", ["expr", "au"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradients_of_sure_networks_are_finite(task: str, gamma: float):
    predicted, wanted, mask = random_batch(task)
    right = {"expr": predicted.argmax(-1), "au": (predicted > 0).astype(int)}[task]
    step = jax.jit(jax.value_and_grad(partial(LOSSES[task][0], focal_gamma=gamma)))
    for scale in (1e2, 1e4):
        for labels in (wanted, right):
            value, gradient = step(predicted * np.float32(scale), labels, mask)
            assert np.isfinite(value) and np.isfinite(gradient).all()


def test_soft_f1_of_hard_decisions_is_f1():
    """Two units have labels: F1 2/3 (a hit and a false alarm), and 0 as neither decided nor labelled."""
    logits = jnp.full((1, 3, U), -200.0).at[0, :2, 0].set(200)
    wanted = jnp.zeros((1, 3, U), int).at[0, 0, 0].set(1)
    mask = jnp.zeros((1, 3, U), bool).at[..., :2].set(True)
    plain, _ = STEPS["au plain"](logits, wanted, mask)
    more, gradient = jax.jit(jax.value_and_grad(partial(losses.au_loss, soft_f1=2.0)))(logits, wanted, mask)
    assert more - plain == pytest.approx(2 * (1 - (2 / 3 + 0) / 2))
    assert np.isfinite(gradient).all()


def test_a_row_mask_serves_all_units():
    logits, wanted, mask = map(jnp.asarray, random_batch("au"))
    by_row = mask[..., 0]
    by_unit = jnp.repeat(by_row[..., None], U, axis=-1)
    assert losses.au_loss(logits, wanted, by_row) == losses.au_loss(logits, wanted, by_unit) > 0


@pytest.mark.parity
@pytest.mark.parametrize("weights", [None, CLASS_WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_expr_loss_is_torchs(weights: np.ndarray | None, smoothing: float):
    torch = pytest.importorskip("torch")
    logits, wanted, mask = random_batch("expr")
    theirs = torch.nn.CrossEntropyLoss(
        None if weights is None else torch.tensor(weights), label_smoothing=smoothing
    )
    expected = theirs(torch.tensor(logits[mask]), torch.tensor(wanted[mask]))
    ours = losses.expr_loss(*map(jnp.asarray, (logits, wanted, mask)), weights, smoothing)
    assert ours == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parity
@pytest.mark.parametrize("weights", [None, UNIT_WEIGHTS])
@pytest.mark.parametrize("positive", [None, UNIT_WEIGHTS[::-1].copy()])
def test_au_loss_is_torchs(weights: np.ndarray | None, positive: np.ndarray | None):
    torch = pytest.importorskip("torch")
    logits, wanted, mask = random_batch("au")
    by_row = mask[..., 0]
    chosen = [None if w is None else torch.tensor(w) for w in (weights, positive)]
    theirs = torch.nn.BCEWithLogitsLoss(chosen[0], pos_weight=chosen[1])
    expected = theirs(torch.tensor(logits[by_row]), torch.tensor(wanted[by_row], dtype=torch.float32))
    ours = losses.au_loss(*map(jnp.asarray, (logits, wanted, by_row)), weights, positive)
    assert ours == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("rule", "raw"),
    [
        ("none", [1, 1, 1]),
        ("inverse", [111 / (3 * 1), 111 / (3 * 10), 111 / (3 * 100)]),
        ("sqrt_inverse", [1, 10**-0.5, 0.1]),
        ("effective", [1, 1e-4 / (1 - 0.9999**10), 1e-4 / (1 - 0.9999**100)]),
    ],
)
def test_class_weights_have_mean_1_over_classes_that_occur(rule: str, raw: list[float]):
    weights = losses.class_weights(np.array([1, 0, 10, 100]), rule)
    np.testing.assert_allclose(weights, np.insert(np.array(raw) / np.mean(raw), 1, 0), rtol=1e-6)
    assert not losses.class_weights(np.zeros(3, int), rule).any()


def test_labels_of_classes_without_weight_cost_nothing():
    logits, wanted, mask = map(jnp.asarray, random_batch("expr"))
    loss, gradient = jax.value_and_grad(losses.expr_loss)(logits, wanted, mask, np.zeros(C, np.float32))
    assert loss == 0 and not np.asarray(gradient).any()


def test_unknown_names_are_told_what_there_is():
    with pytest.raises(ValueError, match=r"'clip'.*window, batch, pooled"):
        losses.ccc_loss(*map(jnp.asarray, random_batch("va")), over="clip")
    with pytest.raises(ValueError, match=r"'sqrt'.*none, inverse, sqrt_inverse, effective"):
        losses.class_weights(np.ones(3), "sqrt")


def test_positive_weights_are_the_ratio_of_silent_to_active():
    active, silent = np.array([10, 0, 40]), np.array([90, 50, 10])
    np.testing.assert_allclose(losses.positive_weights(active, silent, "ratio"), [9, 1, 0.25])
    np.testing.assert_allclose(losses.positive_weights(active, silent, "sqrt_ratio"), [3, 1, 0.5])
    np.testing.assert_array_equal(losses.positive_weights(active, silent, "none"), [1, 1, 1])
    with pytest.raises(ValueError, match="no positive weights by 'rato'; there is none, sqrt_ratio, ratio"):
        losses.positive_weights(active, silent, "rato")


def test_one_class_alone_has_a_weight():
    for rule in losses.RULES:
        np.testing.assert_array_equal(losses.class_weights(np.array([0, 7, 0]), rule), [0, 1, 0])


PUBLISHED = {
    "expr": (
        (177375, 16575, 10810, 9079, 95632, 79864, 31631, 165847),
        (0.698, 0.972, 0.982, 0.985, 0.837, 0.864, 0.946, 0.717),
    ),
    "au": (
        (160261, 67513, 209982, 362236, 538960, 467113, 332788, 38163, 42787, 34746, 851020, 100978),
        (0.950, 0.979, 0.934, 0.887, 0.832, 0.854, 0.896, 0.988, 0.987, 0.989, 0.735, 0.969),
    ),
}
"""Counts and weights of arXiv 2403.13731."""


@pytest.mark.parametrize("task", PUBLISHED)
def test_weights_by_complement_are_those_of_the_masked_transformer(task: str):
    counts, weights = (np.array(each, float) for each in PUBLISHED[task])
    np.testing.assert_allclose(losses.RULES["complement"](counts), weights, atol=6e-4)  # AU4's is cut there
    ours = losses.class_weights(counts, "complement")
    np.testing.assert_allclose(ours, weights / weights.mean(), atol=6e-4)
