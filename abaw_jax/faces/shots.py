"""Where a video cuts from one shot to the next."""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

THUMBNAIL = (16, 9)
LEAST = 0.08
"""A mean difference of thumbnails, of a full scale of 1, below which nothing is a cut."""
TIMES_USUAL = 4.0
"""A cut differs by this much more than frames lately did: a shaken camera differs all the time."""
MEMORY = 0.1
"""The share of the newest difference in what is usual. All three are defaults, tried on synthetic cuts."""


class Shots:
    """Tells, frame by frame, whether a new shot begins. Dissolves go unnoticed: nothing in them is sudden."""

    def __init__(self) -> None:
        self._last: Float[np.ndarray, "h w 3"] | None = None
        self._usual = 0.0

    def is_cut(self, image: UInt8[np.ndarray, "h w 3"]) -> bool:
        """Whether this frame does not go on from the one before. The first begins nothing."""
        small = Image.fromarray(image).resize(THUMBNAIL, Image.Resampling.BOX)
        thumbnail = np.asarray(small, np.float64) / 255
        last, self._last = self._last, thumbnail
        if last is None:
            return False
        difference = float(np.abs(thumbnail - last).mean())
        if difference > max(LEAST, TIMES_USUAL * self._usual):
            return True
        self._usual += MEMORY * (difference - self._usual)
        return False
