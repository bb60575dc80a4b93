"""What each action unit does to the skin: where it drags it, and which folds and bulges it draws.

Both are linear in the intensities, so a batch of frames is one matrix product. The eyes and the mouth, which
open and close, are drawn in `face_parts`. Appearance follows Ekman, Friesen and Hager, FACS (2002).
"""

from __future__ import annotations

import functools

import numpy as np
from jaxtyping import Float

from abaw_jax.corpus.synthetic import face_geometry as geometry
from abaw_jax.corpus.synthetic.face import AU_COLUMN, AU_NUMBERS, Identity, Look
from abaw_jax.corpus.synthetic.face_skin import Canvas, make_canvas, relief, scalp, step
from abaw_jax.corpus.synthetic.sampling import bilinear

COARSE_TEXELS_PER_UNIT = 16.0  # the drag is smooth
JAW_DROP_UNITS = 0.24

# per AU: (outward x, y, width, height) of a soft spot and how far it goes (outward, down), in units
DRAGS: dict[int, tuple[tuple[float, float, float, float, float, float], ...]] = {
    1: ((0.2, -0.4, 0.26, 0.3, 0.0, -0.18),),
    2: ((0.72, -0.42, 0.3, 0.32, 0.0, -0.2),),
    4: ((0.24, -0.36, 0.3, 0.24, -0.08, 0.12), (0.6, -0.36, 0.3, 0.2, -0.02, 0.06)),
    6: ((0.64, 0.42, 0.34, 0.24, 0.02, -0.1), (0.85, -0.1, 0.2, 0.2, -0.02, 0.03)),
    7: ((0.5, -0.2, 0.3, 0.12, 0.0, 0.02), (0.5, 0.2, 0.3, 0.12, 0.0, -0.03)),
    10: ((0.24, 0.8, 0.2, 0.24, 0.02, -0.09), (0.15, 0.56, 0.12, 0.12, 0.03, -0.03)),
    12: ((0.52, 0.95, 0.3, 0.3, 0.1, -0.12), (0.6, 0.55, 0.28, 0.22, 0.03, -0.05)),
    15: ((0.42, 1.22, 0.22, 0.26, -0.01, 0.12),),
    23: ((0.42, 1.12, 0.2, 0.24, -0.06, 0.0),),
    24: ((0.2, 1.36, 0.3, 0.14, 0.0, -0.05), (0.2, 0.93, 0.3, 0.12, 0.0, 0.02)),
    25: ((0.15, 1.3, 0.25, 0.16, 0.0, 0.03),),
    26: ((0.7, 0.85, 0.3, 0.3, -0.03, 0.04),),
}


@functools.lru_cache(maxsize=32)
def _drag_bases(identity: Identity) -> tuple[np.ndarray, np.ndarray]:
    """Drag of the skin for each AU, in arc length and height [au, h*w*2], and the relief's pull [h*w]."""
    canvas = make_canvas(identity, geometry.front_grid(COARSE_TEXELS_PER_UNIT))
    side, scale_y = np.sign(canvas.x), identity.face_height
    bases = np.zeros((len(AU_NUMBERS), *canvas.s.shape, 2), np.float32)
    # a step along the arc is seen shortened by the cosine
    stretch = 1 / np.maximum(canvas.front, 0.4)
    for number, drags in DRAGS.items():
        for x, y, width, height, outward, down in drags:
            spot = canvas.spot(x, y * scale_y if y > 0 else y, width, height)
            bases[AU_COLUMN[number], ..., 0] += spot * outward * side * stretch
            bases[AU_COLUMN[number], ..., 1] += spot * down
    height = relief(canvas) * _fade(canvas)
    return (bases * _fade(canvas)[..., None]).reshape(len(AU_NUMBERS), -1), height.astype(np.float32)


def _fade(canvas: Canvas) -> np.ndarray:
    """To nothing at the edge of the grid, beyond which samples repeat the edge."""
    return step(1.08 - np.abs(canvas.s), 0.16) * step(canvas.y + 1.02, 0.16) * step(1.7 - canvas.y, 0.16)


def drags(identity: Identity, look: Look, au: Float[np.ndarray, "n 12"]) -> Float[np.ndarray, "n h w 4"]:
    """How far the skin seen at a node has come: by the turn of the head (s, y), then by the AUs (s, y)."""
    bases, height = _drag_bases(identity)
    sin_yaw, cos_yaw, sin_pitch, _ = geometry.turns(look)
    # beyond 60 degrees the tangent would throw the nose off the face
    pull = np.stack([height * (sin_yaw / np.maximum(cos_yaw, 0.5)), height * sin_pitch], axis=-1)
    out = np.empty((*pull.shape[:3], 4), np.float32)
    rows, columns = (axis.astype(np.float32) for axis in np.indices(height.shape))
    come = pull
    # relief is known where the skin is, not where it is seen: follow it back
    for _ in range(2):
        back = np.float32(-COARSE_TEXELS_PER_UNIT) * come
        come = np.moveaxis(bilinear(pull, rows + back[..., 1], columns + back[..., 0]), 0, -1)
    out[..., :2] = come
    out[..., 2:] = (au @ bases).reshape(pull.shape)
    return out


def _line(distance: np.ndarray, width: float) -> np.ndarray:
    """A fold: dark, with a lit lip below it."""
    return -np.exp(-((distance / width) ** 2)) + 0.45 * np.exp(-(((distance - 1.7 * width) / width) ** 2))


def _brow_folds(canvas: Canvas) -> dict[int, np.ndarray]:
    x, y = np.abs(canvas.x), canvas.y
    base = canvas.identity.brow_y - 0.36
    wave = 0.02 * np.cos(6 * canvas.x)
    inner = sum(_line(y - base - off + wave + 0.1 * x**2, 0.03) for off in (-0.2, -0.05, 0.1))
    outer = sum(_line(y - base - off - 0.22 * (x - 0.72) ** 2, 0.03) for off in (-0.16, -0.01, 0.14))
    middle = step(0.44 - x, 0.3)
    lateral = step(x - 0.42, 0.2) * step(0.98 - x, 0.25)
    glabella = canvas.identity.brow_y + 0.12
    frown = _line(x - 0.09 - 0.06 * (glabella - y), 0.034) * np.exp(-(((y - glabella + 0.08) / 0.16) ** 2))
    root = _line(y - glabella - 0.13, 0.034) * step(0.14 - x, 0.1)
    lowered = -0.3 * canvas.spot(0.3, canvas.identity.brow_y + 0.16, 0.24, 0.09)
    return {1: 0.26 * inner * middle, 2: 0.3 * outer * lateral, 4: 0.5 * frown + 0.26 * root + lowered}


def _cheek_folds(canvas: Canvas) -> dict[int, np.ndarray]:
    x, y, who = np.abs(canvas.x), canvas.y, canvas.identity
    corner = geometry.eye_centre_x(who) + 0.25
    angle = np.arctan2(y - 0.01, np.maximum(x - corner + 0.06, 0.02))
    rays = np.cos(angle * 8.5) * step(x - corner, 0.1) * step(corner + 0.2 - x, 0.1) * (np.abs(angle) < 0.95)
    pouch = _line(y - 0.2 + 0.45 * (x - 0.5) ** 2, 0.036) * canvas.spot(0.5, 0.2, 0.27, 0.3)
    apple = canvas.spot(0.6, 0.4, 0.24, 0.14) - 0.6 * canvas.spot(0.68, 0.66, 0.26, 0.1)
    fold_x = 0.26 * who.nose_width + 0.28 * np.clip((y - 0.56) / 0.55, 0, 1.2) ** 0.8
    fold = _line(fold_x - x, 0.055)
    upper = fold * step(y - 0.52, 0.12) * step(0.95 - y, 0.3)
    whole = _line(fold_x + 0.08 - x, 0.06) * step(y - 0.6, 0.25) * step(1.05 - y, 0.25)
    wing = -canvas.spot(0.22 * who.nose_width, geometry.nose_tip_y(who) + 0.02, 0.05, 0.1)
    lid = _line(y - 0.135 + 0.4 * (x - 0.5) ** 2, 0.026) * canvas.spot(0.5, 0.12, 0.24, 0.2)
    smile = 0.28 * whole + 0.1 * canvas.spot(0.58, 0.6, 0.24, 0.16)
    return {
        6: 0.22 * np.where(rays < 0, rays, 0.4 * rays) + 0.34 * pouch + 0.16 * apple,
        7: 0.32 * lid,
        10: 0.3 * upper + 0.12 * wing,
        12: smile,
    }


def _mouth_folds(canvas: Canvas) -> dict[int, np.ndarray]:
    x, y, who = np.abs(canvas.x), canvas.y, canvas.identity
    mouth_y, mouth_x = geometry.mouth_height(who), geometry.mouth_half_width(who)
    down = y - mouth_y - 0.1
    marionette = _line(mouth_x + 0.03 + 0.25 * down - x, 0.05) * step(down, 0.12) * step(0.3 - down, 0.15)
    dent = -canvas.spot(0.0, mouth_y + 0.27, 0.17, 0.05) + 0.5 * canvas.spot(0.0, mouth_y + 0.4, 0.16, 0.08)
    pucker = np.cos(canvas.x * 62) * (
        canvas.spot(0.0, mouth_y - 0.14, 0.3, 0.06) + canvas.spot(0.0, mouth_y + 0.16, 0.3, 0.06)
    )
    sides = -canvas.spot(mouth_x, mouth_y, 0.09, 0.12)
    bulge = canvas.spot(0.1, mouth_y - 0.13, 0.26, 0.06) + canvas.spot(0.1, mouth_y + 0.15, 0.24, 0.06)
    ring = canvas.spot(0.0, mouth_y - 0.17, 0.3, 0.06) + canvas.spot(0.0, mouth_y + 0.2, 0.3, 0.06)
    rim = canvas.spot(0.08, mouth_y + 0.26, 0.3, 0.05)
    hollow = -canvas.spot(0.7, 0.9, 0.16, 0.26)
    return {
        15: 0.24 * marionette + 0.34 * dent,
        23: 0.1 * pucker + 0.3 * sides + 0.12 * ring,
        24: 0.26 * bulge - 0.3 * rim,
        26: 0.16 * hollow,
    }


@functools.lru_cache(maxsize=8)
def fold_bases(identity: Identity, texels_per_unit: float) -> Float[np.ndarray, "12 hw"]:
    """Relative change of brightness at full intensity of each AU, on the front grid."""
    canvas = make_canvas(identity, geometry.front_grid(texels_per_unit))
    folds = _brow_folds(canvas) | _cheek_folds(canvas) | _mouth_folds(canvas)
    depth = 0.85 + 0.35 * identity.age  # young skin folds less
    bases = np.zeros((len(AU_NUMBERS), canvas.s.size), np.float32)
    bare = (1 - scalp(canvas)) * (canvas.front > 0) * _fade(canvas)
    for number, fold in folds.items():
        bases[AU_COLUMN[number]] = (depth * fold * bare).ravel()
    return bases
