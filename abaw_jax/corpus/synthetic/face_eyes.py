"""Eyes, drawn frame by frame on the front grid from soft edges."""

from __future__ import annotations

import functools

import numpy as np
from jaxtyping import Float

from abaw_jax.corpus.synthetic import face_geometry as geometry
from abaw_jax.corpus.synthetic.face import Identity, Look
from abaw_jax.corpus.synthetic.face_skin import make_canvas
from abaw_jax.corpus.synthetic.face_strokes import Units, bump, edge, power

EYE_BOX = (-0.28, 0.28, 0.15, 0.87)  # top, bottom, inner and outer edge, in units


@functools.lru_cache(maxsize=16)
def _eye_nodes(identity: Identity, texels: float) -> tuple[slice, slice, np.ndarray, np.ndarray]:
    """Where the right eye lies in the front grid, and its nodes relative to the centre of the eye."""
    grid = geometry.front_grid(texels)
    top, bottom, inner, outer = EYE_BOX
    rows, columns = geometry.rows_between(grid, top, bottom), geometry.columns_between(grid, inner, outer)
    canvas = make_canvas(identity, grid)
    x = canvas.x[rows, columns] - geometry.eye_centre_x(identity)
    y = canvas.y[rows, columns] + identity.eye_slant * x / 0.2
    return rows, columns, x.astype(np.float32), y.astype(np.float32)


def _lids(
    identity: Identity, look: Look, unit: Units, t: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heights of the upper and the lower lid along the eye, and how open it is."""
    size = identity.eye_size
    arch = np.maximum(1 - t * t, 0)
    blink = np.clip(look.blink, 0, 1).astype(np.float32)[:, None, None, None]
    squint = 1 - 0.5 * unit[7] + 0.14 * np.maximum(unit[1], unit[2]) - 0.1 * unit[4]
    lower = 0.078 * size * (1 - 0.75 * unit[7] - 0.3 * unit[6]) * arch
    shut = 0.045 * size * arch
    upper = -0.118 * size * squint * power(arch, 0.62) * (1 + 0.12 * -t)
    upper = upper + (shut - upper) * blink
    lower = lower + (shut - lower) * blink
    return upper, lower, 1 - blink


def eyes(
    identity: Identity, look: Look, au: Float[np.ndarray, "n 12"], overlay: np.ndarray, texels: float
) -> None:
    """Draw both eyes onto overlays [n, h, w, 5]."""
    rows, columns, x, y = _eye_nodes(identity, texels)
    unit = Units(au, 4)
    half_width = np.float32(0.225 * identity.eye_size)
    t = x / half_width
    upper, lower, is_open = _lids(identity, look, unit, np.clip(t, -1.2, 1.2))
    # the left eye is the right one mirrored: the two differ in the gaze alone
    mirror = np.array((-1, 1), np.float32)
    gaze = look.gaze.astype(np.float32)
    look_x = 0.085 * gaze[:, :1] * mirror
    look_y = np.broadcast_to(0.05 * gaze[:, 1:] - 0.012, look_x.shape)
    dx, dy = x - look_x[..., None, None], y - look_y[..., None, None]
    cover = edge(y - upper) * edge(lower - y) * edge((1 - np.abs(t)) * half_width)
    colour = _eyeball(identity, dx, dy, t, y - upper)
    glint_x = 0.035 * look.light[:, :1].astype(np.float32) * mirror
    glint = edge(0.024 - np.hypot(dx - glint_x[..., None, None], dy + 0.035))
    colour += 0.6 * glint[..., None]
    lash = bump(y - upper, 0.024 + 0.01 * identity.makeup) * edge(1.12 - np.abs(t), 0.2)
    lash_low = bump(y - lower, 0.014) * edge(1.05 - np.abs(t), 0.2)
    crease = bump(y - upper + 0.06 + 0.02 * is_open, 0.026) * edge(1.1 - np.abs(t), 0.3)
    patch = np.empty((*dx.shape, 5), np.float32)
    patch[..., :3] = colour * cover[..., None]
    patch[..., 3] = cover
    patch[..., 4] = -(0.62 + 0.2 * identity.makeup) * lash - 0.26 * lash_low - 0.26 * crease
    width = overlay.shape[2]
    overlay[:, rows, columns] += patch[:, 1]
    overlay[:, rows, width - columns.stop : width - columns.start] += patch[:, 0, :, ::-1]


def _eyeball(
    identity: Identity, dx: np.ndarray, dy: np.ndarray, t: np.ndarray, below_lid: np.ndarray
) -> np.ndarray:
    radius = np.hypot(dx, dy) / np.float32(identity.eye_size)
    white = np.array((0.86, 0.83, 0.81), np.float32) * (1 - 0.22 * t * t)[..., None]
    iris = np.asarray(identity.iris_rgb, np.float32)
    ring = edge(0.097 - radius)[..., None]
    tone = (1.25 - 6.5 * np.abs(radius - 0.055)).clip(0.35, 1.3)[..., None]
    colour = white + (iris * tone - white) * ring
    colour *= 1 - 0.94 * edge(0.043 - radius)[..., None]
    # the lid throws a shadow on the ball
    colour *= (0.62 + 0.38 * np.clip(below_lid * 14, 0, 1))[..., None]
    return colour
