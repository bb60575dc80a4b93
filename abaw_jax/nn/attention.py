"""Scaled dot-product attention, on each kind of device the way that measured fastest there."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.nn.linear import Linear, together
from abaw_jax.types import DType

LONG_TOKENS = 700
"""From here on a CPU is faster with one head of one sequence at a time: its scores stay in the cache."""
CUDNN_DTYPES = (jnp.bfloat16, jnp.float16)


def attend(
    q: Float[Array, "b q h d"],
    k: Float[Array, "b k h d"],
    v: Float[Array, "b k h d"],
    mask: Bool[Array, "#b #h #q k"] | None = None,
) -> Float[Array, "b q h d"]:
    """softmax(q kᵀ / √d) v; where `mask` is False nothing is attended to.

    A query that may attend to nothing gets something finite; whoever masks masks the output too.
    """
    backend = jax.default_backend()
    if backend == "cpu":
        return _by_head_and_sequence(q, k, v, mask) if k.shape[1] > LONG_TOKENS else _by_head(q, k, v, mask)
    is_cudnn = backend == "gpu" and q.dtype in CUDNN_DTYPES and q.shape[-1] % 8 == 0 and q.shape[-1] <= 128
    return jax.nn.dot_product_attention(q, k, v, mask=mask, implementation="cudnn" if is_cudnn else None)


def _one_head(q: Array, k: Array, v: Array, mask: Array | None) -> Array:
    """Attention of [… q d] over [… k d]; softmax in float32, divided after the product: a pass less."""
    f32 = jnp.float32
    scores = jnp.einsum("...qd,...kd->...qk", q, k, preferred_element_type=f32) * q.shape[-1] ** -0.5
    if mask is not None:
        scores = jnp.where(mask, scores, jnp.finfo(f32).min)
    weights = jnp.exp(scores - scores.max(axis=-1, keepdims=True))
    heard = jnp.einsum("...qk,...kd->...qd", weights.astype(v.dtype), v, preferred_element_type=f32)
    return (heard / weights.sum(axis=-1, keepdims=True)).astype(v.dtype)


def _by_head(q: Array, k: Array, v: Array, mask: Array | None) -> Array:
    """Heads unrolled: no transposed copy, and XLA runs each product over the whole batch."""
    masks = [None] * q.shape[2] if mask is None else [mask[:, h % mask.shape[1]] for h in range(q.shape[2])]
    heads = [_one_head(q[:, :, h], k[:, :, h], v[:, :, h], masks[h]) for h in range(q.shape[2])]
    return jnp.stack(heads, axis=2)


def _by_head_and_sequence(q: Array, k: Array, v: Array, mask: Array | None) -> Array:
    b, t, h, d = q.shape
    rows = [jnp.moveaxis(x, 2, 1).reshape(b * h, -1, d) for x in (q, k, v)]
    if mask is not None:
        rows.append(jnp.broadcast_to(mask, (b, h, *mask.shape[2:])).reshape(b * h, *mask.shape[2:]))
    out = jax.lax.map(lambda row: _one_head(*row[:3], row[3] if mask is not None else None), tuple(rows))
    return jnp.moveaxis(out.reshape(b, h, t, d), 1, 2)


class Attention(nn.Module):
    """Multi-head self-attention with the projections' names of CLIP, Whisper and wav2vec 2.0."""

    width: int
    heads: int
    has_key_bias: bool = True
    dtype: DType = jnp.float32

    def setup(self) -> None:
        self.q_proj = Linear(self.width, self.width, dtype=self.dtype)
        self.k_proj = Linear(self.width, self.width, self.has_key_bias, dtype=self.dtype)
        self.v_proj = Linear(self.width, self.width, dtype=self.dtype)
        self.out_proj = Linear(self.width, self.width, dtype=self.dtype)

    def __call__(
        self, x: Float[Array, "b t d"], mask: Array | None = None, queries: int | None = None
    ) -> Float[Array, "b q d"]:
        """What each token hears of all; with `queries`, what the first so many of them hear."""
        if queries is None:
            q, k, v = project(x, self.q_proj, self.k_proj, self.v_proj, heads=self.heads)
        else:
            (q,) = project(x[:, :queries], self.q_proj, heads=self.heads)
            k, v = project(x, self.k_proj, self.v_proj, heads=self.heads)
        return self.out_proj(attend(q, k, v, mask).reshape(*q.shape[:2], -1))


def project(x: Float[Array, "b t d"], *maps: Linear, heads: int) -> list[Float[Array, "b t h e"]]:
    """Queries, keys and values of one input, by head."""
    projected = together(maps, x) if jax.default_backend() != "cpu" else [m(x) for m in maps]
    return [y.reshape(*y.shape[:2], heads, -1) for y in projected]
