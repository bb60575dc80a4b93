"""Arithmetic of boxes (x0, y0, x1, y1)."""

import numpy as np
from jaxtyping import Float, Int


def areas(boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, " n"]:
    """Boxes turned inside out have none."""
    return np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)


def overlaps(
    boxes: Float[np.ndarray, "n 4"], others: Float[np.ndarray, "m 4"], of_smaller: bool = False
) -> Float[np.ndarray, "n m"]:
    """Shared area of every pair, as a part of their union, or of the smaller of the two."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    first, second = areas(boxes)[:, None], areas(others)[None]
    whole = np.minimum(first, second) if of_smaller else first + second - shared
    return shared / np.maximum(whole, 1e-12)


def suppress(
    boxes: Float[np.ndarray, "n 4"],
    scores: Float[np.ndarray, " n"],
    threshold: float,
    of_smaller: bool = False,
) -> Int[np.ndarray, " m"]:
    """Non-maximum suppression: which boxes stay, best first.

    A box falls to a better one that itself stays. (The wheel lets it fall to any better one.)
    """
    left = np.argsort(-scores, kind="stable")
    kept = []
    while len(left):
        kept.append(left[0])
        shared = overlaps(boxes[left[:1]], boxes[left[1:]], of_smaller)[0]
        left = left[1:][shared <= threshold]
    return np.array(kept, int)


def squares(boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4"]:
    """Squares about the same middles, as wide as the longer side."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True, initial=0) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def moved(boxes: Float[np.ndarray, "n 4"], offsets: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4"]:
    """Boxes whose corners move by parts of their width and height; both count the last pixel."""
    size = np.tile(boxes[:, 2:] - boxes[:, :2] + 1, (1, 2))
    return boxes + offsets * size
