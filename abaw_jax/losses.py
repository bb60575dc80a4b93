"""What is minimised: pure functions of predictions, labels and a mask, each giving one float32 number.

What lies under a mask never matters, to the loss or to its gradient: it is replaced before any arithmetic,
because a gradient of 0 times NaN would be NaN. A batch without a valid label gives 0 and no gradient.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Num

Scalar = Float[Array, ""]
Va = Float[Array, "b t 2"]
Rows = Bool[Array, "b t"]
Pair = tuple[float, float]
Groups = Float[Array, "g n 2"]
Weights = Array | np.ndarray
"""Weights are made once on the host, and may come as they are."""

SMALLEST_DENOMINATOR = float(jnp.finfo(jnp.float32).eps) ** 2  # 1.4e-14
"""Below it a spread of values near 1 is float32 rounding, and a quotient counts as 0. The 1e-30 of
`abaw_jax.evaluation.moments` is for float64: here the gradient divides by its square, which would be 0."""

EVEN = (0.5, 0.5)
"""Weights of valence and arousal that make a sum over both their mean."""

GROUPINGS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "window": lambda rows: rows,
    "batch": lambda rows: rows.swapaxes(0, 1),
    "pooled": lambda rows: rows.reshape(1, -1, *rows.shape[2:]),
}
"""Which rows share one CCC, as [group, row]: those of a clip; those at one position of all clips, as systems
that predict single rows do it; all of the batch."""

BETA = 0.9999  # the largest that Cui et al. 2019 try: classes here have tens of thousands of rows

RULES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": np.ones_like,
    "inverse": lambda n: 1 / n,
    "sqrt_inverse": lambda n: 1 / np.sqrt(n),
    "effective": lambda n: (1 - BETA) / -np.expm1(n * np.log(BETA)),
    "complement": lambda n: 1 - n / n.sum(),
}
"""Weight of a class by its count, up to a factor; `effective` is Cui et al. 2019, 1 / their number E_n;
`complement` is of Min, Yang, Lim 2024 (arXiv 2403.13731)."""
POWERS = {"none": 0.0, "sqrt_ratio": 0.5, "ratio": 1.0}
"""Of the ratio of silent to active rows: what an active one counts for."""

COARSE = ((0,), (4,), (6,), (1, 2, 3, 5), (7,))
"""Expressions that are one in the coarse: neutral, happy, surprised, negative, other; default, not from a
paper (arXiv 2503.11935 names a coarse and fine loss without its equation)."""


def va_loss(
    predicted: Va,
    wanted: Va,
    mask: Rows,
    ccc: float = 1.0,
    mse: float = 0.0,
    l1: float = 0.0,
    over: str = "window",
    weights: Pair = EVEN,
) -> Scalar:
    """`ccc` times the CCC loss, plus `mse` times the squared and `l1` times the absolute error."""
    loss = jnp.zeros((), jnp.float32)
    if ccc:
        loss += ccc * ccc_loss(predicted, wanted, mask, over, weights)
    if mse:
        loss += mse * _error(jnp.square, predicted, wanted, mask, weights)
    if l1:
        loss += l1 * _error(jnp.abs, predicted, wanted, mask, weights)
    return loss


def ccc_loss(predicted: Va, wanted: Va, mask: Rows, over: str = "window", weights: Pair = EVEN) -> Scalar:
    """Weighted sum over valence and arousal of 1 - CCC, the mean over groups of rows with at least two."""
    if over not in GROUPINGS:
        raise ValueError(f"no CCC over {over!r}; there is {', '.join(GROUPINGS)}")
    predicted, wanted, mask = map(GROUPINGS[over], (predicted, wanted, mask[..., None]))
    has_ccc = mask.sum(1) >= 2  # one row alone has no spread
    return _weigh(_mean(1 - _ccc(predicted, wanted, mask), has_ccc, axis=0), weights)


def mse(predicted: Va, wanted: Va, mask: Rows, weights: Pair = EVEN) -> Scalar:
    """Squared error, the mean over valid rows."""
    return _error(jnp.square, predicted, wanted, mask, weights)


def l1(predicted: Va, wanted: Va, mask: Rows, weights: Pair = EVEN) -> Scalar:
    """Absolute error, the mean over valid rows."""
    return _error(jnp.abs, predicted, wanted, mask, weights)


def expr_loss(
    logits: Float[Array, "b t 8"],
    wanted: Int[Array, "b t"],
    mask: Rows,
    class_weights: Float[Weights, "8"] | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    coarse: float = 0.0,
) -> Scalar:
    """Cross entropy over the weights of the labels, as torch's CrossEntropyLoss; focal as Lin et al. 2017.

    Smoothing spreads its share over all classes, each with its own weight; the divisor knows labels only.
    `coarse` is the share of the cross entropy of `COARSE`, whose probabilities are sums.
    """
    log_p = jax.nn.log_softmax(_clean(logits, mask[..., None]))
    label = jax.nn.one_hot(jnp.where(mask, wanted, 0), log_p.shape[-1], dtype=jnp.float32)
    weights = _per_class(class_weights, log_p)
    target = (1 - label_smoothing) * label + label_smoothing / log_p.shape[-1]
    loss = -(target * weights * log_p).sum(-1)
    if focal_gamma:
        # 1 - p of the label from the other classes: finite for any logits, as is its gradient for gamma < 1.
        loss *= jnp.exp(focal_gamma * jax.nn.logsumexp(log_p, axis=-1, where=label == 0))
    total = jnp.where(mask, (label * weights).sum(-1), 0).sum()
    loss = jnp.where(mask, loss, 0).sum() / jnp.where(total > 0, total, 1)
    return loss + coarse * _coarse_loss(log_p, label, mask) if coarse else loss


def _coarse_loss(log_p: Float[Array, "b t 8"], label: Float[Array, "b t 8"], mask: Rows) -> Scalar:
    """Mean over valid rows."""
    groups = [np.array(group) for group in COARSE]
    of_group = jnp.stack([jax.nn.logsumexp(log_p[..., group], axis=-1) for group in groups], axis=-1)
    wanted = jnp.stack([label[..., group].sum(-1) for group in groups], axis=-1)
    return _mean(-(wanted * of_group).sum(-1), mask)


def au_loss(
    logits: Float[Array, "b t 12"],
    wanted: Num[Array, "b t 12"],
    mask: Bool[Array, "b t 12"] | Rows,
    weights: Float[Weights, "12"] | None = None,
    positive_weights: Float[Weights, "12"] | None = None,
    focal_gamma: float = 0.0,
    soft_f1: float = 0.0,
) -> Scalar:
    """Binary cross entropy, as torch's BCEWithLogitsLoss, plus `soft_f1` times 1 - F1 of probabilities."""
    mask = jnp.broadcast_to(mask if mask.ndim == logits.ndim else mask[..., None], logits.shape)
    logits, wanted = _clean(logits, mask), _clean(wanted, mask)
    positive, negative = jax.nn.softplus(-logits), jax.nn.softplus(logits)  # -log p and -log(1 - p)
    active = wanted * _per_class(positive_weights, logits) * positive * jnp.exp(-focal_gamma * negative)
    silent = (1 - wanted) * negative * jnp.exp(-focal_gamma * positive)
    loss = _mean(_per_class(weights, logits) * (active + silent), mask)
    if soft_f1:
        loss += soft_f1 * _soft_f1_loss(jax.nn.sigmoid(logits), wanted, mask)
    return loss


def class_weights(counts: Num[np.ndarray, " c"], rule: str) -> Float[np.ndarray, " c"]:
    """Weights with mean 1 over the classes that occur; those that don't have 0."""
    if rule not in RULES:
        raise ValueError(f"no class weights by {rule!r}; there is {', '.join(RULES)}")
    occurs = counts > 0
    weights = np.zeros(counts.shape, np.float32)
    if occurs.any():
        raw = RULES[rule](counts[occurs].astype(np.float64))
        weights[occurs] = raw / raw.mean() if raw.mean() > 0 else 1
    return weights


def positive_weights(
    active: Num[np.ndarray, " c"], silent: Num[np.ndarray, " c"], rule: str
) -> Float[np.ndarray, " c"]:
    """What an active row of each unit counts for; 1 for a unit that never is."""
    if rule not in POWERS:
        raise ValueError(f"no positive weights by {rule!r}; there is {', '.join(POWERS)}")
    ratio = np.where(active > 0, silent / np.maximum(active, 1), 1.0)
    return (ratio ** POWERS[rule]).astype(np.float32)


def _error(measure: Callable, predicted: Va, wanted: Va, mask: Rows, weights: Pair) -> Scalar:
    mask = mask[..., None]
    return _weigh(_mean(measure(_clean(predicted, mask) - _clean(wanted, mask)), mask, axis=(0, 1)), weights)


def _ccc(x: Groups, y: Groups, mask: Bool[Array, "g n 1"]) -> Float[Array, "g 2"]:
    """From centred population moments; 0 where nothing varies."""
    x, y = _clean(x, mask), _clean(y, mask)
    dx, dy = _centre(x, mask), _centre(y, mask)
    # The mean of differences: a difference of means loses digits where both lie far from 0.
    gap = _mean(x - y, mask, axis=1)
    denominator = _mean(dx * dx + dy * dy, mask, axis=1) + gap * gap
    is_defined = denominator > SMALLEST_DENOMINATOR
    ratio = 2 * _mean(dx * dy, mask, axis=1) / jnp.where(is_defined, denominator, 1)
    return jnp.where(is_defined, ratio, 0)


def _centre(values: Groups, mask: Bool[Array, "g n 1"]) -> Groups:
    """What each row differs from its group's mean, moved by a valid row first: constants give exactly 0."""
    pivot = jnp.take_along_axis(values, mask.argmax(1, keepdims=True), axis=1)
    moved = values - jax.lax.stop_gradient(pivot)  # the mean takes it out again
    return moved - _mean(moved, mask, axis=1)[:, None]


def _soft_f1_loss(p: Float[Array, "*b c"], wanted: Float[Array, "*b c"], mask: Bool[Array, "*b c"]) -> Scalar:
    """1 - F1 of each unit, with probabilities for decisions: the mean over units that have a label."""
    hits, total = (jnp.where(mask, counted, 0).sum((0, 1)) for counted in (p * wanted, p + wanted))
    is_defined = total > SMALLEST_DENOMINATOR
    f1 = jnp.where(is_defined, 2 * hits / jnp.where(is_defined, total, 1), 0)
    return _mean(1 - f1, mask.any((0, 1)))


def _clean(values: Num[Array, "*s"], mask: Bool[Array, "*#s"]) -> Float[Array, "*s"]:
    """In float32, 0 where it is not valid."""
    return jnp.where(mask, values.astype(jnp.float32), 0)


def _mean(values: Float[Array, "*s"], mask: Bool[Array, "*#s"], axis=None) -> Float[Array, "*r"]:
    """Over what is valid; 0 where nothing is."""
    mask = jnp.broadcast_to(mask, values.shape)
    return jnp.where(mask, values, 0).sum(axis) / jnp.maximum(mask.sum(axis), 1)


def _weigh(by_dimension: Float[Array, "2"], weights: Pair) -> Scalar:
    return (by_dimension * jnp.asarray(weights, jnp.float32)).sum()


def _per_class(weights: Float[Weights, " c"] | None, like: Float[Array, "b t c"]) -> Float[Array, "1 1 c"]:
    if weights is None:
        return jnp.ones((1, 1, like.shape[-1]), jnp.float32)
    return jnp.asarray(weights, jnp.float32)[None, None]
