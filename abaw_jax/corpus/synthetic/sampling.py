"""Reading textures between their texels, and blurring, for whole batches of frames.

Textures keep their channels last, as a gather wants them; images keep them first, as arithmetic wants them.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import sparse


def bilinear(texture: Float[np.ndarray, "b h w c"], row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Values [c, n, ...] at fractional rows and columns [n, ...]; one texture for all n or one each.

    Beyond the edges the edge repeats. The interpolation is a product with a sparse matrix of four weights a
    row, which reads each texel once and keeps no intermediate arrays: three times as fast as indexing.
    """
    count, height, width, channels = texture.shape
    shape = row.shape
    row = np.clip(row, 0, np.float32(height - 1.001))
    column = np.clip(column, 0, np.float32(width - 1.001))
    low_row, low_column = row.astype(np.int32), column.astype(np.int32)
    row -= low_row
    column -= low_column
    low_row *= np.int32(width)
    low_row += low_column
    if count > 1:
        low_row += (np.arange(count, dtype=np.int32) * np.int32(height * width)).reshape(
            -1, *[1] * (row.ndim - 1)
        )
    weights, index = np.empty((*shape, 4), np.float32), np.empty((*shape, 4), np.int32)
    both = row * column
    weights[..., 3] = both
    np.subtract(row, both, out=weights[..., 2])
    column -= both
    weights[..., 1] = column
    column += row
    np.subtract(np.float32(1), column, out=weights[..., 0])
    for corner, step in enumerate((0, 1, width, width + 1)):
        np.add(low_row, np.int32(step), out=index[..., corner])
    ends = np.arange(0, index.size + 1, 4, dtype=np.int32)
    matrix = sparse.csr_array(
        (weights.ravel(), index.ravel(), ends), shape=(row.size, count * height * width)
    )
    values = matrix @ texture.reshape(-1, channels)
    return np.ascontiguousarray(values.T).reshape(channels, *shape)


def blur(
    images: Float[np.ndarray, "c n h w"], sigma_px: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "c n h w"]:
    """Nearly Gaussian blur, a sigma for each image, up to 2.6 pixels.

    The kernel (a/2, 1-a, a/2) with gaps of d pixels has variance a d^2; gaps of 1, 2 and 3 with a up to 1/2
    add up to the wanted variance, and unlike a Gaussian filter they take a different a for each image.
    """
    left = np.asarray(sigma_px, np.float32) ** 2
    for gap in (1, 2, 3):
        share = np.minimum(left / np.float32(gap * gap), np.float32(0.5))
        left = left - share * np.float32(gap * gap)
        if share.max() > 1e-3:
            for axis in (2, 3):
                images = _spread(images, share[:, None, None], gap, axis)
    return images


def _spread(images: np.ndarray, share: np.ndarray, gap: int, axis: int) -> np.ndarray:
    def part(array: np.ndarray, first: int | None, last: int | None) -> np.ndarray:
        return array[(slice(None),) * axis + (slice(first, last),)]

    out = np.empty_like(images)
    np.add(part(images, None, -2 * gap), part(images, 2 * gap, None), out=part(out, gap, -gap))
    # at the edges the edge stands in for what lies beyond
    np.add(part(images, None, 1), part(images, gap, 2 * gap), out=part(out, None, gap))
    np.add(part(images, -2 * gap, -gap), part(images, -1, None), out=part(out, -gap, None))
    out *= np.float32(0.5)
    out -= images
    out *= share
    out += images
    return out
