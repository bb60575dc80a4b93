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
    levels = int(np.floor(np.log(short / CELL_PX) / -np.log(STEP))) + 1 if short >= CELL_PX else 0
    return tuple(largest * STEP**level for level in range(levels))


def shrink_matrix(length: int, scale: float) -> Float[np.ndarray, "m n"]:
    """Means over areas: entry (i, j) is the part of output i that input j covers."""
    shrunk = int(length * scale)
    edges = np.arange(shrunk + 1) * (length / shrunk)
    low = np.maximum(edges[:-1, None], np.arange(length)[None])
    high = np.minimum(edges[1:, None], np.arange(1, length + 1)[None])
    return (np.maximum(high - low, 0) * (shrunk / length)).astype(np.float32)


def shrink(images: UInt8[Array, "b h w 3"], scale: float) -> Float[Array, "b m n 3"]:
    """Normalised images, shrunk without aliasing. Sizes are fixed, so the matrices are constants."""
    rows = jnp.asarray(shrink_matrix(images.shape[1], scale))
    columns = jnp.asarray(shrink_matrix(images.shape[2], scale))
    planes = images.transpose(0, 3, 1, 2).astype(jnp.float32)
    planes = jnp.einsum("mh,bchw,nw->bcmn", rows, planes, columns)
    return normalise(planes.transpose(0, 2, 3, 1))


def normalise(images):
    """What all three networks see: -1 to 1, with mid grey at zero."""
    return (images - 127.5) / 128
