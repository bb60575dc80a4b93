"""What a face looks like at a glance: enough to tell the people of one video apart, no more.

A crop of a few pixels, free of brightness and contrast. It knows skin and hair; it is no face recognition and
is compared within one video only. In another room and with another expression about six synthetic persons in
ten are known again where one stranger in a hundred is mistaken for them.
"""

import numpy as np
from jaxtyping import Float, UInt8

from abaw_jax.faces.align import align

SIDE_PX = 8
EDGE_WEIGHT = 0.3
"""The outer columns show the room rather than the person."""
NEW_VIEW = 0.93
"""A look less like all those kept than this is worth keeping."""
VIEWS = 6

Look = Float[np.ndarray, " d"]
"""Of length one, or all zeros where nothing could be seen."""


def look_of(image: UInt8[np.ndarray, "h w 3"], landmarks: Float[np.ndarray, "5 2"]) -> Look:
    """The look of one face in a frame."""
    crop = align(image, landmarks, size=SIDE_PX)
    return _unit(crop.astype(np.float64)) if crop is not None else np.zeros(3 * SIDE_PX**2)


def _unit(crop: Float[np.ndarray, "8 8 3"]) -> Look:
    """Pixels without their mean, at length one: the product of two is their correlation."""
    weights = np.ones((1, SIDE_PX, 1))
    weights[:, [0, -1]] = EDGE_WEIGHT
    centred = (crop - np.average(crop, weights=np.broadcast_to(weights, crop.shape))) * np.sqrt(weights)
    return (centred / max(float(np.linalg.norm(centred)), 1e-9)).ravel()


class Album:
    """A few different views of one person: a smile is not like a frown, but either is like one of them."""

    def __init__(self) -> None:
        self._views: list[Look] = []

    def likeness(self, look: Look | None) -> float:
        """From -1 to 1; 0 where there is nothing to compare."""
        if look is None or not self._views:
            return 0.0
        return max(float(view @ look) for view in self._views)

    def add(self, look: Look | None) -> None:
        """Keep a new view in the place of the oldest."""
        if look is not None and look.any() and self.likeness(look) < NEW_VIEW:
            self._views = [*self._views, look][-VIEWS:]
