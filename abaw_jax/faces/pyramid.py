"""Frames at the sizes on which 12-pixel faces are looked for."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

CELL_PX = 12
"""The face that the proposal network was trained on."""
STEP = 0.709
"""About the square root of a half: each level has half the pixels of the one before."""


def scales(height_px: int, width_px: int, min_face_px: float) -> tuple[float, ...]:
    """From the smallest wanted face down to one that fills the frame.

    (The wheel's number of levels forgets the smallest face; with one of over 20 pixels it runs into images
    of less than a cell and then finds nothing at all.)
    """
    largest = CELL_PX / max(min_face_px, CELL_PX)
    short = min(height_px, width_px) * largest
    count = int(np.floor(np.log(short / CELL_PX) / -np.log(STEP))) + 1 if short >= CELL_PX else 0
    return tuple(largest * STEP**level for level in range(count))


def levels(images: UInt8[Array, "b h w 3"], scales: tuple[float, ...]) -> list[Float[Array, "b m n 3"]]:
    """Normalised images at each scale, without aliasing. All sizes are fixed, so matrices are constants.

    Large frames are first summed over small blocks, once for all levels: half a block is the most by which an
    area of the first level is off.
    """
    height, width = images.shape[1:3]
    block = max(1, int(0.5 / scales[0])) if scales else 1
    planes = _block_means(images, block).transpose(0, 3, 1, 2)
    shrunk = []
    for scale in scales:
        rows = jnp.asarray(area_means(height, int(height * scale), block))
        columns = jnp.asarray(area_means(width, int(width * scale), block))
        level = jnp.einsum("mh,bchw,nw->bcmn", rows, planes, columns)
        shrunk.append(normalise(level.transpose(0, 2, 3, 1)))
    return shrunk


def area_means(length: int, shrunk: int, block: int = 1) -> Float[np.ndarray, "m n"]:
    """A matrix whose entry (i, j) is the part of output i that block j of the inputs covers."""
    edges = np.arange(shrunk + 1) * (length / shrunk)
    blocks = np.arange(length // block + 1) * block
    low = np.maximum(edges[:-1, None], blocks[None, :-1])
    high = np.minimum(edges[1:, None], blocks[None, 1:])
    covered = np.maximum(high - low, 0)
    return (covered / covered.sum(axis=1, keepdims=True)).astype(np.float32)


def _block_means(images: UInt8[Array, "b h w 3"], block: int) -> Float[Array, "b m n 3"]:
    """Whole blocks only; summed as integers, which is several times as fast as as floats."""
    batch, height, width, _ = images.shape
    rows, columns = height // block, width // block
    whole = images[:, : rows * block, : columns * block]
    sums = whole.reshape(batch, rows, block, columns, block, 3).astype(jnp.int32).sum(axis=(2, 4))
    return sums.astype(jnp.float32) / block**2


def normalise(images):
    """What all three networks see: -1 to 1, with mid grey at zero."""
    return (images - 127.5) / 128
