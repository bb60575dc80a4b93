"""What blocks are made of, in float64 as textbooks have it; `p` is the parameters of a part."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

P = Mapping


def random(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng((sum(shape), seed)).standard_normal(shape), jnp.float32)


def some(*shape: int, share: float = 0.7) -> jax.Array:
    """Which entries are there."""
    return jnp.asarray(np.random.default_rng(sum(shape)).random(shape) < share)


def exact(tree):
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)


def linear(p: P, x: np.ndarray) -> np.ndarray:
    return x @ p["kernel"] + p.get("bias", 0)


def norm(p: P, x: np.ndarray, axis=-1) -> np.ndarray:
    centred = x - x.mean(axis, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis, keepdims=True) + 1e-5) * p["scale"] + p["bias"]


def softmax(x: np.ndarray, share=1.0) -> np.ndarray:
    weights = share * np.exp(x - x.max(-1, keepdims=True))
    total = weights.sum(-1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def gelu(x: np.ndarray) -> np.ndarray:
    from scipy.special import erf

    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def multi_head(p: P, x: np.ndarray, memory: np.ndarray, share: np.ndarray, heads: int) -> np.ndarray:
    """[q d] of one sample, whose `share` is [q k]."""
    q, k, v = (linear(p[name], given) for name, given in (("q", x), ("k", memory), ("v", memory)))
    out, e = np.zeros_like(q), q.shape[-1] // heads
    for h in range(heads):
        at = slice(h * e, (h + 1) * e)
        out[:, at] = softmax(q[:, at] @ k[:, at].T / np.sqrt(e), share) @ v[:, at]
    return linear(p["out"], out)


def convolve(p: P, x: np.ndarray, dilation: int = 1) -> np.ndarray:
    """[h w d] of one map, padded so that it keeps its size."""
    (lines, columns), (h, w, _) = p["kernel"].shape[:2], x.shape
    y, z = dilation * (lines // 2), dilation * (columns // 2)
    padded, out = np.pad(x, ((y, y), (z, z), (0, 0))), np.zeros((h, w, p["kernel"].shape[-1]))
    for i in range(lines):
        for j in range(columns):
            seen = padded[i * dilation : i * dilation + h, j * dilation : j * dilation + w]
            out += seen @ p["kernel"][i, j] if p["kernel"].shape[2] > 1 else _alike(seen, p["kernel"][i, j])
    return out + p.get("bias", 0)


def _alike(seen: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Every channel by itself, or one channel to many."""
    return seen * kernel[0] if seen.shape[-1] == kernel.shape[-1] else seen @ kernel
