"""Frames as they are meant to be seen: phones write pixels as the sensor lies and say how to turn them."""

import av
import numpy as np
from jaxtyping import UInt8


def display_matrix(frame: av.VideoFrame) -> tuple[int, int, int, int] | None:
    """The a b c d of x' = a x + c y, y' = b x + d y, in pixels, y downwards; None where nothing is said.

    ISO/IEC 14496-12, the matrix of the track header: nine 32-bit numbers, of which these turn and mirror.
    """
    found = frame.side_data.get("DISPLAYMATRIX")
    if found is None:
        return None
    a, b, _, c, d, *_ = np.frombuffer(found, np.int32).tolist()
    return a, b, c, d


def upright(
    image: UInt8[np.ndarray, "_ _ 3"], matrix: tuple[int, int, int, int] | None
) -> UInt8[np.ndarray, "_ _ 3"]:
    """The image turned by quarters and mirrored as the matrix says; other angles to the nearest quarter."""
    if matrix is None:
        return image
    a, b, c, d = matrix
    if abs(b) > abs(a):
        image, a, d = image.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
