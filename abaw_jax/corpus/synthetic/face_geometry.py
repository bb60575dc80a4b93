"""Where things are: the surface of a head, its texture grids, and the maps between head and image.

A head is a stack of circles: at height y a circle of some radius, its centre some way in front of the axis. A
turned head is then found from a pixel in closed form, without a mesh.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from jaxtyping import Complex, Float
from scipy.interpolate import PchipInterpolator

from abaw_jax.corpus.synthetic.face import Identity, Look

UNITS_PER_RADIAN = 1.04  # texture columns are even in angle; this makes them square at the eyes
FACE_HEIGHT_UNITS = 2.55  # hairline to chin
FACE_CENTRE = 0.36j  # of that span, as x + iy
FACE_CENTRE_Z = 0.8

PROFILE_TOP, PROFILE_STEP, PROFILE_ROWS = -2.0, 0.02, 210
Y_WIDTH = (-1.66, -1.63, -1.54, -1.37, -1.12, -0.85, -0.5, 0.0, 0.4, 0.8, 1.1, 1.32, 1.5, 1.6, 1.66, 1.68)
WIDTH = (0.0, 0.24, 0.5, 0.74, 0.92, 1.0, 1.04, 1.07, 1.06, 0.98, 0.87, 0.71, 0.5, 0.34, 0.18, 0.0)
Y_FRONT = (-1.66, -1.45, -1.2, -0.95, -0.5, 0.0, 0.6, 1.1, 1.45, 1.6, 1.68)
FRONT = (0.0, 0.62, 0.88, 1.02, 1.1, 1.08, 1.1, 1.1, 1.06, 0.98, 0.8)

# ArcFace's five points in a 112 pixel crop (Deng et al. 2019, the published alignment code), rounded
TEMPLATE_112 = np.array((38.3 + 51.7j, 73.5 + 51.5j, 56.0 + 71.7j, 41.5 + 92.4j, 70.7 + 92.2j))


@dataclasses.dataclass(frozen=True)
class Grid:
    """Texture nodes evenly spread over arc length s and height y."""

    left: float
    top: float
    right: float
    bottom: float
    texels_per_unit: float

    @property
    def shape(self) -> tuple[int, int]:
        rows = round((self.bottom - self.top) * self.texels_per_unit) + 1
        return rows, round((self.right - self.left) * self.texels_per_unit) + 1

    def nodes(self) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
        """Arc length and height of every node."""
        rows, columns = self.shape
        y = self.top + np.arange(rows, dtype=np.float32) / np.float32(self.texels_per_unit)
        s = self.left + np.arange(columns, dtype=np.float32) / np.float32(self.texels_per_unit)
        s, y = np.meshgrid(s, y)
        return s.astype(np.float32), y.astype(np.float32)


def skin_grid(texels_per_unit: float) -> Grid:
    """The whole head but the very back."""
    return Grid(-2.3, -1.9, 2.3, 1.8, texels_per_unit)


def front_grid(texels_per_unit: float) -> Grid:
    """The part that moves: brows, eyes, cheeks, mouth, chin."""
    return Grid(-1.15, -1.1, 1.15, 1.75, texels_per_unit)


def rows_between(grid: Grid, top: float, bottom: float) -> slice:
    first = round((top - grid.top) * grid.texels_per_unit)
    return slice(max(first, 0), round((bottom - grid.top) * grid.texels_per_unit) + 1)


def columns_between(grid: Grid, left: float, right: float) -> slice:
    first = round((left - grid.left) * grid.texels_per_unit)
    return slice(max(first, 0), round((right - grid.left) * grid.texels_per_unit) + 1)


@functools.lru_cache(maxsize=64)
def head_profile(identity: Identity) -> Float[np.ndarray, "2 y"]:
    """Radius and centre depth of the head for heights from PROFILE_TOP down."""
    y = PROFILE_TOP + PROFILE_STEP * np.arange(PROFILE_ROWS)
    stretched = np.where(y > 0, y / identity.face_height, y)
    width = PchipInterpolator(Y_WIDTH, WIDTH)(np.clip(stretched, Y_WIDTH[0], Y_WIDTH[-1]))
    jaw = 1 + (identity.jaw_width - 1) * np.clip((stretched - 0.5) / 0.6, 0, 1)
    width = np.maximum(width * jaw * identity.face_width, 1e-3)
    front = PchipInterpolator(Y_FRONT, FRONT)(np.clip(stretched, Y_FRONT[0], Y_FRONT[-1]))
    return np.stack([width, front - width]).astype(np.float32)


def plane_x(identity: Identity, s: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """X of texture nodes seen from the front, and the cosine of their angle."""
    width, _ = at_height(head_profile(identity), y)
    angle = s / np.float32(UNITS_PER_RADIAN)
    return width * np.sin(angle), np.cos(angle)


def at_height(profile: Float[np.ndarray, "2 y"], y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Radius and centre depth of the head at heights y, linear between the rows of the profile."""
    row = np.clip((y - np.float32(PROFILE_TOP)) * np.float32(1 / PROFILE_STEP), 0, PROFILE_ROWS - 1.001)
    index = row.astype(np.intp)
    part = row - index
    low, high = profile.take(index, axis=1), profile.take(index + 1, axis=1)
    high -= low
    high *= part
    low += high
    return low[0], low[1]


def _column(values: np.ndarray) -> Float[np.ndarray, "n 1 1"]:
    return np.asarray(values, np.float32)[:, None, None]


def turns(look: Look) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sine and cosine of yaw, then of pitch, each [n, 1, 1]."""
    yaw, pitch = np.radians(_column(look.yaw)), np.radians(_column(look.pitch))
    return np.sin(yaw), np.cos(yaw), np.sin(pitch), np.cos(pitch)


def surface_at(
    profile: Float[np.ndarray, "2 y"], p: np.ndarray, q: np.ndarray, look: Look, jaw_drop: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The head under points (p, q) of the image plane, in units: arc length s, height y as seen, height on
    the closed-jaw head, and the distance to the outline (negative outside, where only its sign matters).
    """
    sin_yaw, cos_yaw, sin_pitch, cos_pitch = turns(look)
    depth = np.float32(1.05) * cos_yaw
    # y needs the depth and the depth needs y; the head is flat enough for two rounds
    for _ in range(2):
        y = (q - depth * sin_pitch) / cos_pitch
        y_closed = y - jaw_drop * _jaw_share(y)
        width, centre_z = at_height(profile, y_closed)
        sine = (p - centre_z * sin_yaw) / width
        inside = np.clip(sine, -1, 1)
        depth = centre_z * cos_yaw + width * np.sqrt(1 - inside * inside)
    s = (np.arcsin(inside) - np.radians(_column(look.yaw))) * np.float32(UNITS_PER_RADIAN)
    # above the crown and below the chin the circles are points, not heads
    outline = np.minimum((1 - np.abs(sine)) * width, 8 * width - np.float32(0.1))
    return s, y, y_closed, np.maximum(outline, np.float32(-0.06))


def _jaw_share(y: np.ndarray) -> np.ndarray:
    """How far along a dropping jaw the skin at height y goes: none above the mouth, all of it at the chin."""
    share = np.clip((y - np.float32(0.9)) * np.float32(1 / 0.75), 0, 1)
    return share * share * (3 - 2 * share)


def project(points: Float[np.ndarray, "k 3"], look: Look) -> Complex[np.ndarray, "n k"]:
    """Image plane positions x + iy, in units and before roll, of points given as (x, y, z)."""
    sin_yaw, cos_yaw, sin_pitch, cos_pitch = (turn[:, :, 0] for turn in turns(look))
    x, y, z = points.T
    across = x * cos_yaw + z * sin_yaw
    depth = z * cos_yaw - x * sin_yaw
    return across + 1j * (y * cos_pitch + depth * sin_pitch)


def landmarks(identity: Identity) -> Float[np.ndarray, "5 3"]:
    """Eyes, nose tip and mouth corners of the resting face."""
    eye_x, mouth_x, mouth_y = eye_centre_x(identity), mouth_half_width(identity), mouth_height(identity)
    nose_y = nose_tip_y(identity)
    flat = np.array([(-eye_x, 0), (eye_x, 0), (0, nose_y), (-mouth_x, mouth_y), (mouth_x, mouth_y)])
    width, centre_z = at_height(head_profile(identity), flat[:, 1])
    z = centre_z + np.sqrt(np.maximum(width**2 - flat[:, 0] ** 2, 0))
    z[2] += 0.36 * identity.nose_height
    return np.column_stack([flat, z])


def eye_centre_x(identity: Identity) -> float:
    return 0.5 * identity.eye_spacing


def mouth_half_width(identity: Identity) -> float:
    return 0.4 * identity.mouth_width


def mouth_height(identity: Identity) -> float:
    return 1.12 * identity.face_height


def nose_tip_y(identity: Identity) -> float:
    return 0.54 * identity.nose_length * identity.face_height


def align(
    identity: Identity, look: Look, size: int, rng: np.random.Generator
) -> tuple[Complex[np.ndarray, " n"], Complex[np.ndarray, " n"]]:
    """The similarity, pixel = a * unit + b, that brings the five points closest to the template.

    A detector misses by a fraction of a pixel; so do we.
    """
    source = project(landmarks(identity), look)
    target = TEMPLATE_112 * (size / 112)
    centre, target_centre = source.mean(axis=1, keepdims=True), target.mean()
    spread = (np.abs(source - centre) ** 2).sum(axis=1)
    a = (np.conj(source - centre) * (target - target_centre)).sum(axis=1) / spread
    b = target_centre - a * centre[:, 0]
    jitter = rng.normal(0, 1, (4, len(look)))
    turn = np.radians(0.06 * look.roll + 0.5 * jitter[3])
    a = a * (1 + 0.006 * jitter[2]) * np.exp(1j * turn)
    b = target_centre - a * centre[:, 0] + (jitter[0] + 1j * jitter[1]) * 0.35 * size / 112
    return a, b


def place(
    look: Look, centres: Float[np.ndarray, "n 2"], heights: Float[np.ndarray, " n"]
) -> tuple[Complex[np.ndarray, " n"], Complex[np.ndarray, " n"]]:
    """The similarity, pixel = a * unit + b, that puts the middle of the face where told."""
    a = heights / FACE_HEIGHT_UNITS * np.exp(1j * np.radians(look.roll))
    middle = np.array([(FACE_CENTRE.real, FACE_CENTRE.imag, FACE_CENTRE_Z)])
    return a, centres[:, 0] + 1j * centres[:, 1] - a * project(middle, look)[:, 0]
