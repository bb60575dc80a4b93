"""What a face detector is, and which there are."""

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8


@dataclasses.dataclass(frozen=True)
class Faces:
    """The faces of one image, best first; none at all is an ordinary answer.

    Pixels count from the centre of the first. Landmarks are left eye, right eye, nose, left and right mouth
    corner, left and right as seen in the image.
    """

    boxes: Float[np.ndarray, "n 4"]  # x0, y0, x1, y1 in pixels
    scores: Float[np.ndarray, " n"]
    landmarks: Float[np.ndarray, "n 5 2"]

    @classmethod
    def none(cls) -> "Faces":
        """An image without a face."""
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: slice | np.ndarray) -> "Faces":
        return Faces(self.boxes[rows], self.scores[rows], self.landmarks[rows])


@runtime_checkable
class Detector(Protocol):
    """Finds the faces of every image of a batch of frames of one size."""

    def __call__(self, images: UInt8[np.ndarray, "b h w 3"]) -> list[Faces]: ...


DETECTORS: dict[str, str] = {"mtcnn": "abaw_jax.faces.mtcnn:Mtcnn"}
"""Name ▶ factory. They are imported when asked for, since a detector may be heavy."""


def make_detector(name: str = "mtcnn", **settings: Any) -> Detector:
    """A detector by its name here, or by `package.module:factory` for one of somebody else's."""
    place = DETECTORS.get(name, name)
    module, _, factory = place.partition(":")
    if not factory:
        raise KeyError(
            f"no face detector {name!r}; there are {', '.join(DETECTORS)}, or name a package.module:factory"
        )
    return _factory(module, factory)(**settings)


def _factory(module: str, name: str) -> Callable[..., Detector]:
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise KeyError(
            f"no face detector at {module}:{name} ({error}); there are {', '.join(DETECTORS)}"
        ) from error
