"""Five-point alignment: a face turned, scaled and moved so that its landmarks lie where ArcFace has them.

Deng, Guo, Xue and Zafeiriou 2019, "ArcFace" (arXiv 1801.07698); the template is that of its published
alignment, which the `cropped_aligned` images of Aff-Wild2 follow too.
"""

import numpy as np
from jaxtyping import Complex, Float, UInt8
from PIL import Image

TEMPLATE_112 = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
SIZE_PX = 112
OVERSAMPLING = 2
"""The crop is drawn this much larger and then averaged, whatever the size of the face in the frame."""
SMALLEST_SPREAD_PX = 0.5
"""Landmarks closer together than this are one point, which has no direction."""


def similarity(
    landmarks: Float[np.ndarray, "5 2"], target: Float[np.ndarray, "5 2"] = TEMPLATE_112
) -> tuple[complex, complex] | None:
    """The (a, b) for which a * landmark + b lies closest to the target, points taken as x + iy.

    Least squares over turn, scale and shift (Umeyama 1991). A product with one complex number cannot mirror,
    so a mirrored face is never made; where no turn fits better than any other there is no answer.
    """
    if not np.isfinite(landmarks).all():
        return None
    points, wanted = _complex(landmarks), _complex(target)
    source, goal = points - points.mean(), wanted - wanted.mean()
    spread = np.sum(np.abs(source) ** 2)
    if spread < len(source) * SMALLEST_SPREAD_PX**2:
        return None
    a = np.sum(np.conj(source) * goal) / spread
    if abs(a) ** 2 * spread < 0.01 * np.sum(np.abs(goal) ** 2):  # less than 1 % explained: not a face
        return None
    return complex(a), complex(wanted.mean() - a * points.mean())


def align(
    image: UInt8[np.ndarray, "h w 3"], landmarks: Float[np.ndarray, "5 2"], size: int = SIZE_PX
) -> UInt8[np.ndarray, "{size} {size} 3"] | None:
    """The aligned crop, black beyond the frame; None where the landmarks are no face.

    A face larger than the crop is shrunk by averages over areas before it is turned, so nothing aliases.
    """
    fit = similarity(landmarks, TEMPLATE_112 * (size / SIZE_PX))
    if fit is None:
        return None
    a, b = fit
    corners = (_complex(np.array([(0, 0), (size, 0), (size, size), (0, size)]) - 0.5) - b) / a
    window = _window(corners, image.shape, margin_px=3 / abs(a))
    if window is None:
        return np.zeros((size, size, 3), np.uint8)
    left, top, right, bottom = window
    patch, zoom = _shrunk(Image.fromarray(image[top:bottom, left:right]), OVERSAMPLING * abs(a))
    # from here in continuous coordinates, in which the first pixel reaches from 0 to 1
    step = 1 / (a * OVERSAMPLING)
    start = (-0.5 - 0.5j - b) / a + 0.5 + 0.5j - (left + 1j * top)
    affine = (
        step.real * zoom[0], -step.imag * zoom[0], start.real * zoom[0],
        step.imag * zoom[1], step.real * zoom[1], start.imag * zoom[1],
    )  # fmt: skip
    large = (size * OVERSAMPLING,) * 2
    crop = patch.transform(large, Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)
    return np.asarray(crop.reduce(OVERSAMPLING))


def _complex(points: Float[np.ndarray, "n 2"]) -> Complex[np.ndarray, " n"]:
    points = np.asarray(points, np.float64)
    return points[:, 0] + 1j * points[:, 1]


def _window(
    corners: Complex[np.ndarray, " 4"], shape: tuple[int, ...], margin_px: float
) -> tuple[int, int, int, int] | None:
    """The part of the frame that the crop looks at; None if it looks past the frame."""
    low = np.floor([corners.real.min() - margin_px, corners.imag.min() - margin_px])
    high = np.ceil([corners.real.max() + margin_px, corners.imag.max() + margin_px]) + 1
    left, top = np.clip(low, 0, (shape[1], shape[0])).astype(int).tolist()
    right, bottom = np.clip(high, 0, (shape[1], shape[0])).astype(int).tolist()
    return (left, top, right, bottom) if left < right and top < bottom else None


def _shrunk(patch: Image.Image, zoom: float) -> tuple[Image.Image, tuple[float, float]]:
    """The patch at `zoom` of its size or, where that would enlarge it, as it is; and the exact ratios."""
    if zoom >= 1:
        return patch, (1.0, 1.0)
    size = tuple(max(1, round(length * zoom)) for length in patch.size)
    ratios = size[0] / patch.size[0], size[1] / patch.size[1]
    return patch.resize(size, Image.Resampling.BILINEAR), ratios
