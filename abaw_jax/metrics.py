"""Training signals on the device: the official scores as `clu.metrics`, for a quick look while training.

What is published comes from `abaw_jax.evaluation`, in float64 and with gaps filled; these agree with it to
float32 on the rows they see. They merge in any order, so batches and hosts can be added up as they come.
`clu` gathers only under pmap: take `single_from_model_output`, then `merge`.

One collection serves all tasks, because every task has its own names: `va`, `expr_logits`, `au_logits`, and
for each task `<task>_label` and `<task>_mask`.
"""

import flax.struct
import jax
import jax.numpy as jnp
from clu import metrics
from jaxtyping import Array, Bool, Float, Int, Num

from abaw_jax.labels import WIDTHS

SMALLEST_DENOMINATOR = 1e-30
"""As in `abaw_jax.evaluation.moments`: below it a CCC is 0."""


@flax.struct.dataclass
class Ccc(metrics.Metric):
    """Mean of the CCCs of valence and arousal over all valid rows, from centred moments of each."""

    n: jax.Array
    mean_x: jax.Array
    mean_y: jax.Array
    m_xx: jax.Array
    m_yy: jax.Array
    m_xy: jax.Array

    @classmethod
    def empty(cls) -> "Ccc":
        return cls(*jnp.zeros((6, WIDTHS["va"]), jnp.float32))

    @classmethod
    def from_model_output(
        cls, va: Float[Array, "*b 2"], va_label: Float[Array, "*b 2"], va_mask: Bool[Array, "*b"], **_
    ) -> "Ccc":
        mask = va_mask.reshape(-1, 1)
        n = jnp.maximum(mask.sum(), 1)
        mean_x, dx = _centre(va, mask, n)
        mean_y, dy = _centre(va_label, mask, n)
        count = jnp.full(WIDTHS["va"], mask.sum(), jnp.float32)
        return cls(count, mean_x, mean_y, (dx * dx).sum(0), (dy * dy).sum(0), (dx * dy).sum(0))

    def merge(self, other: "Ccc") -> "Ccc":
        """Chan, Golub and LeVeque (1979): sums of squares would lose their digits in float32."""
        n = self.n + other.n
        share = other.n / jnp.maximum(n, 1)
        # An empty side has mean 0, which must not pull: its distance does not count.
        has_both = (self.n > 0) & (other.n > 0)
        dx = jnp.where(has_both, other.mean_x - self.mean_x, 0)
        dy = jnp.where(has_both, other.mean_y - self.mean_y, 0)
        cross = self.n * share
        return Ccc(
            n=n,
            mean_x=jnp.where(self.n > 0, self.mean_x, other.mean_x) + dx * share,
            mean_y=jnp.where(self.n > 0, self.mean_y, other.mean_y) + dy * share,
            m_xx=self.m_xx + other.m_xx + dx * dx * cross,
            m_yy=self.m_yy + other.m_yy + dy * dy * cross,
            m_xy=self.m_xy + other.m_xy + dx * dy * cross,
        )

    def ccc(self) -> Float[Array, "2"]:
        n = jnp.maximum(self.n, 1)
        denominator = (self.m_xx + self.m_yy) / n + (self.mean_x - self.mean_y) ** 2
        is_defined = denominator > SMALLEST_DENOMINATOR
        return jnp.where(is_defined, 2 * self.m_xy / n / jnp.where(is_defined, denominator, 1), 0)

    def compute(self) -> Float[Array, ""]:
        return self.ccc().mean()


@flax.struct.dataclass
class ExprF1(metrics.Metric):
    """F1 averaged over the eight expressions; logits or probabilities, the largest decides."""

    hits: jax.Array
    decided: jax.Array
    labelled: jax.Array

    @classmethod
    def empty(cls) -> "ExprF1":
        return cls(*jnp.zeros((3, WIDTHS["expr"]), jnp.int32))

    @classmethod
    def from_model_output(
        cls,
        expr_logits: Float[Array, "*b 8"],
        expr_label: Int[Array, "*b"],
        expr_mask: Bool[Array, "*b"],
        **_,
    ) -> "ExprF1":
        decision = jax.nn.one_hot(expr_logits.argmax(-1), WIDTHS["expr"], dtype=bool)
        label = jax.nn.one_hot(expr_label, WIDTHS["expr"], dtype=bool)
        return cls(*_count(decision, label, expr_mask[..., None]))

    def merge(self, other: "ExprF1") -> "ExprF1":
        return jax.tree.map(jnp.add, self, other)

    def compute(self) -> Float[Array, ""]:
        return _f1(self.hits, self.decided, self.labelled).mean()


@flax.struct.dataclass
class AuF1(metrics.Metric):
    """F1 averaged over the twelve units; active from logit 0 on, which is probability 0.5."""

    hits: jax.Array
    decided: jax.Array
    labelled: jax.Array

    @classmethod
    def empty(cls) -> "AuF1":
        return cls(*jnp.zeros((3, WIDTHS["au"]), jnp.int32))

    @classmethod
    def from_model_output(
        cls,
        au_logits: Float[Array, "*b 12"],
        au_label: Num[Array, "*b 12"],
        au_mask: Bool[Array, "*b 12"] | Bool[Array, "*b"],
        **_,
    ) -> "AuF1":
        mask = au_mask if au_mask.ndim == au_logits.ndim else au_mask[..., None]
        return cls(*_count(au_logits >= 0, au_label > 0, mask))

    def merge(self, other: "AuF1") -> "AuF1":
        return jax.tree.map(jnp.add, self, other)

    def compute(self) -> Float[Array, ""]:
        return _f1(self.hits, self.decided, self.labelled).mean()


def _centre(values: Float[Array, "*b 2"], mask: Bool[Array, "n 1"], n: Int[Array, ""]):
    """Mean over valid rows and what each differs from it, moved by a row first: constants stay exact."""
    values = jnp.where(mask, values.reshape(-1, values.shape[-1]).astype(jnp.float32), 0)
    pivot = values[mask.argmax()][None]
    moved = jnp.where(mask, values - pivot, 0)
    shift = moved.sum(0, keepdims=True) / n
    return (pivot + shift)[0], jnp.where(mask, moved - shift, 0)


def _count(decision: Bool[Array, "*b c"], label: Bool[Array, "*b c"], mask: Bool[Array, "*b #c"]):
    """Hits, decisions and labels of each class over valid rows."""
    axes = tuple(range(decision.ndim - 1))
    return [(chosen & mask).sum(axes, dtype=jnp.int32) for chosen in (decision & label, decision, label)]


def _f1(hits: Int[Array, " c"], decided: Int[Array, " c"], labelled: Int[Array, " c"]) -> Float[Array, " c"]:
    """As in `abaw_jax.evaluation.scores`: 0 where it is undefined."""
    return 2 * hits / jnp.maximum(decided + labelled, 1)
