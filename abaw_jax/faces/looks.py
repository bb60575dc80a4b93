"""What a face looks like at a glance: enough to tell the people of one video apart, no more.

A crop of a few pixels, free of brightness and contrast. It knows skin, hair and what is behind; it is no face
recognition and is compared within one video only.
"""

import numpy as np
from jaxtyping import Float, UInt8

from abaw_jax.faces.align import align

SIDE_PX = 8

Look = Float[np.ndarray, " d"]
"""Of length one, or all zeros where nothing could be seen."""


def look_of(image: UInt8[np.ndarray, "h w 3"], landmarks: Float[np.ndarray, "5 2"]) -> Look:
    """The look of one face in a frame."""
    crop = align(image, landmarks, size=SIDE_PX)
    return unit(crop.astype(np.float64).ravel()) if crop is not None else np.zeros(3 * SIDE_PX**2)


def unit(values: Float[np.ndarray, " d"]) -> Look:
    """Values without their mean, at length one."""
    centred = values - values.mean()
    return centred / max(float(np.linalg.norm(centred)), 1e-9)


def blend(old: Look, new: Look, share: float) -> Look:
    """An old look that follows a new one."""
    return unit((1 - share) * old + share * new) if old.any() else new
