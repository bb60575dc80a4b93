"""Where a row stands, as sines and cosines: Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762)."""

import numpy as np
from jaxtyping import Float

LONGEST = 10_000.0


def sinusoids(rows: int, width: int) -> Float[np.ndarray, "{rows} {width}"]:
    """Sines in the even columns, cosines in the odd ones, wavelengths from 2π to `LONGEST` · 2π."""
    rate = LONGEST ** (-np.arange(0, width, 2) / width)
    angle = np.arange(rows)[:, None] * rate
    out = np.zeros((rows, width), np.float32)
    out[:, 0::2], out[:, 1::2] = np.sin(angle), np.cos(angle)[:, : width // 2]
    return out
