"""The head itself: from pixels to its surface, and from texture, moving parts and light to colour."""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex, Float

from abaw_jax.corpus.synthetic import face_geometry as geometry
from abaw_jax.corpus.synthetic.face import AU_COLUMN, Identity, Look
from abaw_jax.corpus.synthetic.face_actions import COARSE_TEXELS_PER_UNIT, JAW_DROP_UNITS, drags
from abaw_jax.corpus.synthetic.face_parts import overlays
from abaw_jax.corpus.synthetic.face_skin import skin_texture
from abaw_jax.corpus.synthetic.sampling import bilinear


def head(
    identity: Identity,
    look: Look,
    a: Complex[np.ndarray, " n"],
    b: Complex[np.ndarray, " n"],
    shape: tuple[int, int],
    texels: float,
) -> tuple[Float[np.ndarray, "3 n h w"], Float[np.ndarray, "n h w"]]:
    """Colours, multiplied by the cover, and the cover, of an image of this shape. Pixel = a * unit + b."""
    au = np.clip(look.au, 0, 1).astype(np.float32)
    s_part, y_part, s_skin, y_skin, outline = _places(identity, look, au, a, b, shape)
    parts = bilinear(
        overlays(identity, look, au, texels), *_texels(geometry.front_grid(texels), s_part, y_part)
    )
    skin = bilinear(
        skin_texture(identity, texels)[None], *_texels(geometry.skin_grid(texels), s_skin, y_skin)
    )
    colour, clear = skin[:3], 1 - parts[3]
    shade, shine = _light(skin, look)
    parts[4] += 1
    shade *= np.maximum(parts[4], np.float32(0.05), out=parts[4])
    shine *= clear
    pixels_per_unit = np.abs(a).astype(np.float32)[:, None, None]
    cover = np.clip(outline * pixels_per_unit + np.float32(0.5), 0, 1)
    shade -= 1
    # light that has passed through skin is red: shadows lose red last
    for channel, depth in enumerate((0.93, 1.0, 1.04)):
        ink = colour[channel]
        ink *= clear
        ink += parts[channel]
        ink *= shade * np.float32(depth) + 1
        ink += shine
        ink *= cover
    return colour, cover


def to_units(a: Complex[np.ndarray, " n"], b: Complex[np.ndarray, " n"]) -> Float[np.ndarray, "4 n"]:
    """The coefficients of `image_plane` that undo pixel = a * unit + b."""
    inverse, shift = 1 / a, -b / a
    return np.stack([inverse.real, inverse.imag, shift.real, shift.imag]).astype(np.float32)


def image_plane(column: np.ndarray, row: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels in units of the face; each coefficient broadcasts against columns and rows."""
    real, imag, shift_p, shift_q = units
    return column * real - row * imag + shift_p, column * imag + row * real + shift_q


def _places(
    identity: Identity, look: Look, au: np.ndarray, a: np.ndarray, b: np.ndarray, shape: tuple[int, int]
) -> list[np.ndarray]:
    """For every pixel: where in the moving parts it looks, where on the skin, and how far inside the outline.

    All are smooth, so they are worked out at every second pixel.
    """
    column = np.arange(0, shape[1] + 1, 2, dtype=np.float32)
    row = np.arange(0, shape[0] + 1, 2, dtype=np.float32)[:, None]
    p, q = image_plane(column, row, to_units(a, b)[:, :, None, None])
    jaw_drop = np.float32(JAW_DROP_UNITS) * au[:, AU_COLUMN[26], None, None]
    s, y, y_closed, outline = geometry.surface_at(geometry.head_profile(identity), p, q, look, jaw_drop)
    coarse = geometry.front_grid(COARSE_TEXELS_PER_UNIT)
    by_turn_s, by_turn_y, by_au_s, by_au_y = bilinear(drags(identity, look, au), *_texels(coarse, s, y))
    s_part = s - by_turn_s
    fields = (s_part, y - by_turn_y, s_part - by_au_s, y_closed - by_turn_y - by_au_y, outline)
    return [_double(field)[:, : shape[0], : shape[1]] for field in fields]


def _double(field: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, "n h2 w2"]:
    """Linear values at and between the nodes."""
    count, height, width = field.shape
    rows = np.empty((count, 2 * height - 1, width), np.float32)
    rows[:, ::2] = field
    rows[:, 1::2] = (field[:, :-1] + field[:, 1:]) * np.float32(0.5)
    out = np.empty((count, 2 * height - 1, 2 * width - 1), np.float32)
    out[..., ::2] = rows
    out[..., 1::2] = (rows[..., :-1] + rows[..., 1:]) * np.float32(0.5)
    return out


def _texels(grid: geometry.Grid, s: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    texels = np.float32(grid.texels_per_unit)
    return (y - np.float32(grid.top)) * texels, (s - np.float32(grid.left)) * texels


def _light(skin: Float[np.ndarray, "7 n h w"], look: Look) -> tuple[np.ndarray, np.ndarray]:
    """Brightness by Lambert's law over a soft sky, and the shine on the skin."""
    strength = look.light[:, 2].astype(np.float32)[:, None, None]
    lamp = np.column_stack([look.light[:, :2], np.ones(len(look))])
    lamp /= np.linalg.norm(lamp, axis=1, keepdims=True)
    halfway = lamp + (0, 0, 1)
    halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
    normal_x, normal_y, normal_z, gloss = skin[3:]

    def facing(direction: np.ndarray) -> np.ndarray:
        x, y, z = _to_head(direction.astype(np.float32), look)
        amount = normal_x * x
        amount += normal_y * y
        amount += normal_z * z
        return np.maximum(amount, 0, out=amount)

    shade = facing(lamp)
    shade *= np.float32(0.56)
    shade += np.float32(0.53) - np.float32(0.1) * normal_y
    shade *= strength
    shine = facing(halfway)
    for _ in range(4):  # to the 16th
        shine *= shine
    shine *= gloss
    shine *= np.float32(0.1) * strength
    return shade, shine


def _to_head(direction: Float[np.ndarray, "n 3"], look: Look) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A direction of the room as the turned head has it."""
    sin_yaw, cos_yaw, sin_pitch, cos_pitch = geometry.turns(look)
    x, y, z = (direction[:, axis, None, None] for axis in range(3))
    ahead = z * cos_pitch + y * sin_pitch
    return x * cos_yaw - ahead * sin_yaw, y * cos_pitch - z * sin_pitch, ahead * cos_yaw + x * sin_yaw
