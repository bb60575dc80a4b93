"""Squares cut out of frames at the size of a network's input."""

import numpy as np
from jaxtyping import Float, Int, UInt8

from abaw_jax.faces import pyramid


def patches(
    images: UInt8[np.ndarray, "b h w 3"],
    owner: Int[np.ndarray, " n"],
    boxes: Float[np.ndarray, "n 4"],
    size: int,
) -> Float[np.ndarray, "n {size} {size} 3"]:
    """Squares of the frames at one size, corner pixel to corner pixel; grey beyond the frame's edge."""
    height, width = images.shape[1:3]
    steps = np.linspace(0, 1, size)
    x = boxes[:, :1] + steps * (boxes[:, 2:3] - boxes[:, :1])
    y = boxes[:, 1:2] + steps * (boxes[:, 3:] - boxes[:, 1:2])
    x, y = x * (width - 1) / width, y * (height - 1) / height
    is_inside = ((y >= 0) & (y <= height - 1))[:, :, None] & ((x >= 0) & (x <= width - 1))[:, None]
    left, right, across = _neighbours(x, width)
    top, bottom, down = _neighbours(y, height)
    across, down = across[:, None, :, None], down[:, :, None, None]
    frame, left, right = owner[:, None, None], left[:, None], right[:, None]

    def between(row: np.ndarray) -> np.ndarray:
        row = row[:, :, None]
        return images[frame, row, left] * (1 - across) + images[frame, row, right] * across

    crops = pyramid.normalise(between(top) * (1 - down) + between(bottom) * down)
    return np.where(is_inside[..., None], crops, 0).astype(np.float32)


def _neighbours(at: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low = np.clip(np.floor(at), 0, length - 1).astype(int)
    return low, np.minimum(low + 1, length - 1), (at - low).astype(np.float32)
