"""The mouth, drawn frame by frame on the front grid from soft edges."""

from __future__ import annotations

import functools

import numpy as np
from jaxtyping import Float

from abaw_jax.corpus.synthetic import face_geometry as geometry
from abaw_jax.corpus.synthetic.face import Identity
from abaw_jax.corpus.synthetic.face_skin import make_canvas
from abaw_jax.corpus.synthetic.face_strokes import Units, bump, edge, power

MOUTH_BOX = (0.78, 1.7, -0.68, 0.68)  # top, bottom, left and right edge, in units
JAW_GAP = 0.3  # how far AU26 parts the lips, in units


@functools.lru_cache(maxsize=16)
def _mouth_nodes(
    identity: Identity, texels: float
) -> tuple[slice, slice, np.ndarray, np.ndarray, np.ndarray]:
    grid = geometry.front_grid(texels)
    top, bottom, left, right = MOUTH_BOX
    rows, columns = geometry.rows_between(grid, top, bottom), geometry.columns_between(grid, left, right)
    canvas = make_canvas(identity, grid)
    x, y = canvas.x[rows, columns], canvas.y[rows, columns] - geometry.mouth_height(identity)
    grain = canvas.grain(y * 3, x * 38)
    return rows, columns, x.astype(np.float32), y.astype(np.float32), grain.astype(np.float32)


def _lips(identity: Identity, unit: Units, x: np.ndarray) -> dict[str, np.ndarray]:
    """The four edges of the lips, top to bottom, along x, from the resting line between the lips."""
    width = geometry.mouth_half_width(identity) * (
        1 + 0.3 * unit[12] - 0.3 * unit[23] - 0.05 * unit[24] - 0.08 * unit[26] + 0.04 * unit[15]
    )
    t = x / width
    square = np.minimum(t * t, 1.3)
    arch = np.maximum(1 - t * t, 0)
    middle = (0.25 * unit[15] - 0.21 * unit[12]) * (square - 0.25) - 0.02 * square
    pressed = 1 - 0.55 * unit[24]
    up = (0.06 * unit[25] + 0.025 * unit[26] + 0.045 * unit[10] * (0.3 + unit[25])) * pressed
    low = (0.125 * unit[25] + JAW_GAP * unit[26] * (0.66 + 0.34 * unit[25])) * pressed
    inner_top = middle - up * power(arch, 0.6)
    inner_low = middle + low * power(arch, 0.55)
    thin = (1 - 0.55 * unit[23]) * (1 - 0.72 * unit[24])
    full = identity.lip_fullness
    bow = power(arch, 0.6) * (1 - 0.24 * bump(t, 0.16)) * (0.8 + 0.2 * arch)
    sneer = unit[10] * (0.55 + 0.6 * bump(np.abs(t) - 0.42, 0.3)) * power(arch, 0.5)
    outer_top = inner_top - 0.098 * full * thin * (1 - 0.2 * unit[12]) * bow - 0.085 * sneer
    outer_low = inner_low + 0.128 * full * thin * (1 - 0.15 * unit[12] - 0.15 * unit[26]) * power(arch, 0.7)
    return {
        "t": t,
        "outer_top": outer_top,
        "inner_top": inner_top,
        "inner_low": inner_low,
        "outer_low": outer_low,
    }


def mouth(identity: Identity, au: Float[np.ndarray, "n 12"], overlay: np.ndarray, texels: float) -> None:
    """Draw the lips and what shows between them onto overlays [n, h, w, 5]."""
    rows, columns, x, y, grain = _mouth_nodes(identity, texels)
    unit = Units(au, 3)
    lips = _lips(identity, unit, x)
    t = lips["t"]
    side = edge((1 - np.abs(t)) * 0.4)
    cover = edge(y - lips["outer_top"], 0.055) * edge(lips["outer_low"] - y, 0.055) * side
    gap = edge(y - lips["inner_top"]) * edge(lips["inner_low"] - y)
    # of an almost closed mouth both soft edges overlap: no lips, no gap
    gap *= edge(lips["inner_low"] - lips["inner_top"] - 0.03, 0.04)
    is_lower = edge(y - 0.5 * (lips["inner_top"] + lips["inner_low"]))
    target = overlay[:, rows, columns]
    lit, inside = _lip_tones(identity, x, y, lips, is_lower, grain), _mouth_inside(unit, x, y, lips)
    for channel in range(3):
        colour = lit[0] * np.float32(identity.lip_rgb[channel]) + lit[1]
        colour += (inside[channel] - colour) * gap
        colour *= cover
        target[..., channel] += colour
    target[..., 3] += cover
    line = (
        bump(y - 0.5 * (lips["inner_top"] + lips["inner_low"]), 0.022)
        * edge(1.04 - np.abs(t), 0.12)
        * (1 - gap)
    )
    corner = bump(np.abs(t) - 0.99, 0.07) * bump(y - lips["inner_top"], 0.04)
    under = bump(y - lips["outer_low"] - 0.055, 0.05) * edge(0.8 - np.abs(t), 0.5)
    target[..., 4] -= (0.4 + 0.3 * unit[24]) * line + (0.2 + 0.1 * unit[12]) * corner + 0.16 * under


def _lip_tones(
    identity: Identity,
    x: np.ndarray,
    y: np.ndarray,
    lips: dict[str, np.ndarray],
    is_lower: np.ndarray,
    grain: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Brightness of the lips and the shine on them."""
    # the upper lip faces down, the lower one catches the light on its ridge
    ridge = bump(y - 0.55 * lips["inner_low"] - 0.45 * lips["outer_low"], 0.032) * bump(x, 0.2)
    return 0.84 + 0.14 * is_lower + 0.05 * grain, np.float32(0.12 + 0.1 * identity.makeup) * ridge * is_lower


def _mouth_inside(unit: Units, x: np.ndarray, y: np.ndarray, lips: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Red, green and blue of the teeth, the tongue and the dark."""
    depth = y - lips["inner_top"]
    tongue = 0.75 * bump(lips["inner_low"] - y - 0.02, 0.08) * bump(x, 0.24)
    # smiling and a raised lip bare the upper teeth
    length = 0.04 + 0.08 * np.maximum(unit[12], unit[10])
    teeth = 0.95 * edge(length - depth, 0.02) * edge(0.9 - np.abs(lips["t"]), 0.3)
    shade = (1 - 0.35 * lips["t"] ** 2) * (0.95 + 0.05 * np.cos(x * np.float32(2 * np.pi / 0.085)))
    shade *= 0.7 + 0.3 * np.clip(depth * 30, 0, 1)
    planes = []
    for dark, flesh, enamel in ((0.2, 0.62, 0.9), (0.055, 0.28, 0.87), (0.06, 0.27, 0.8)):
        plane = np.float32(dark) + np.float32(flesh - dark) * tongue
        plane += (np.float32(enamel) * shade - plane) * teeth
        planes.append(plane)
    return planes
