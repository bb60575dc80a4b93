"""A detector that anybody may write: two faces in every frame, a small one on the left, a large one right."""

import dataclasses

import numpy as np

from abaw_jax.faces.align import TEMPLATE_112
from abaw_jax.faces.detection import Faces


@dataclasses.dataclass(frozen=True)
class TwoPeople:
    """Where they are, as shares of the frame: (left edge, top, width)."""

    places: tuple[tuple[float, float, float], ...] = ((0.1, 0.3, 0.2), (0.6, 0.2, 0.3))

    def __call__(self, images: np.ndarray) -> list[Faces]:
        return [self.faces(image.shape[1]) for image in images]

    def faces(self, width: int) -> Faces:
        corners = np.array([(x, y) for x, y, _ in self.places]) * width
        sizes = np.array([[size] for *_, size in self.places]) * width
        landmarks = corners[:, None] + sizes[:, None] * (TEMPLATE_112 - 20) / 72
        return Faces(np.concatenate([corners, corners + sizes], axis=1), np.ones(len(sizes)), landmarks)
