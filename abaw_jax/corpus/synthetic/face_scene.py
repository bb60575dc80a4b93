"""What is around a face: wall, hair, ears, neck, clothes, and the things that get in front of it."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from abaw_jax.corpus.synthetic import face_geometry as geometry
from abaw_jax.corpus.synthetic.face import Identity
from abaw_jax.corpus.synthetic.face_skin import Canvas, hair_colour, paint, step

BUST = geometry.Grid(-3.6, -2.6, 3.6, 5.0, 28.0)
"""The part of the image plane, in units, that moves along with the head."""

# how far hair stands off the head, and how far down the sides it reaches
HAIR_VOLUME = {
    "bald": 0,
    "buzz": 0.01,
    "short": 0.06,
    "fringe": 0.07,
    "long": 0.1,
    "curly": 0.22,
    "tied": 0.04,
    "scarf": 0.08,
}
HAIR_REACH_Y = {
    "bald": -9,
    "buzz": 0.0,
    "short": 0.15,
    "fringe": 0.3,
    "long": 1.0,
    "curly": 0.7,
    "tied": 0.0,
    "scarf": 2.2,
}
FINGERS_PER_UNIT = 2.9
HIDES_EARS = ("long", "scarf", "curly")


def _sheet(identity: Identity) -> Canvas:
    s, y = BUST.nodes()
    return Canvas(identity, BUST, s, y, s, np.ones_like(s), np.random.default_rng(identity.seed + 1))


def _mass(sheet: Canvas) -> np.ndarray:
    """Outline of the hair behind the head."""
    who = sheet.identity
    volume = HAIR_VOLUME[who.hair_style]
    reach = HAIR_REACH_Y[who.hair_style] + (1.7 * who.hair_length if who.hair_style == "long" else 0)
    shrunk = np.where(sheet.y < 0, sheet.y / (1 + volume), 0)
    width = geometry.at_height(geometry.head_profile(who), shrunk)[0] * (1 + volume)
    width = width + 0.1 * np.clip(sheet.y, 0, 1.5) * (who.hair_style == "long")
    ragged = 0.035 * sheet.grain(sheet.y * 3, sheet.s * 3)
    if who.hair_style == "curly":
        ragged = ragged + 0.06 * sheet.grain(sheet.y * 6, sheet.s * 6)
    if who.hair_style == "scarf":
        width, ragged = width + 0.22 * np.clip(sheet.y - 0.8, 0, 1.2), 0 * ragged
    cover = (
        step(width + ragged - np.abs(sheet.s), 0.07)
        * step(width - 0.2, 0.2)
        * step(reach + 2 * ragged - sheet.y, 0.3)
    )
    if who.hair_style == "tied":
        bun = np.hypot(sheet.s - 0.25 * who.parting, sheet.y + 1.82)
        cover = np.maximum(cover, step(0.42 + 0.5 * ragged - bun, 0.07))
    return cover * (who.hair_style != "bald")


def _body(sheet: Canvas, colour: np.ndarray, cover: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    who, x, y = sheet.identity, np.abs(sheet.s), sheet.y
    skin = np.asarray(who.skin_rgb, np.float32)
    slope = 0.7 * who.face_width + 0.25 * np.clip((y - 1.5) / 0.9, 0, 1) ** 3
    neck = step(slope - x, 0.06) * step(y - 1.0, 0.2)
    # the jaw throws its shadow on the neck, and the neck is round
    light = (0.55 + 0.35 * step(y - 1.9, 0.7)) * (1 - 0.3 * np.clip(x / 0.7, 0, 1) ** 2)
    colour = paint(colour, skin * light[..., None], neck)
    top = 2.02 + 0.16 * x**1.5 + 1.4 * np.clip(x - 1.9, 0, 2) ** 2
    collar = 0.42 * np.exp(-((sheet.s / 0.5) ** 2))
    cloth = step(y - top - collar, 0.06)
    weave = 1 + 0.03 * sheet.grain(y * 2, sheet.s * 2) + 0.02 * sheet.grain(y * 14, sheet.s * 14)
    weave *= 1 - 0.18 * np.clip(x / 2.4, 0, 1) ** 2 - 0.2 * np.exp(-(((y - top - collar) / 0.12) ** 2))
    colour = paint(colour, np.asarray(who.cloth_rgb, np.float32) * weave[..., None], cloth)
    return colour, np.maximum(np.maximum(cover, neck), cloth)


@functools.lru_cache(maxsize=32)
def bust(identity: Identity) -> Float[np.ndarray, "1 h w 4"]:
    """Everything of a person that lies behind the head: colour times cover, cover."""
    sheet = _sheet(identity)
    # as on the scalp: strands leave the crown like rays, then hang
    crown_x, crown_y = sheet.s - 0.3 * identity.parting, np.maximum(sheet.y + 1.75, 0.02)
    strands = hair_colour(
        sheet, np.hypot(crown_x, crown_y), 2.2 * np.arctan2(crown_x, np.minimum(crown_y + 0.3, 2.0))
    )
    mass = _mass(sheet)
    depth = ndimage.gaussian_filter(mass, 0.22 * BUST.texels_per_unit)
    shade = (0.6 + 0.4 * step(-sheet.y, 1.8)) * (1.15 - 0.3 * depth)
    colour = strands * shade[..., None]
    if identity.hair_style == "scarf":
        below, cover = _body(sheet, colour, np.zeros_like(mass))
        colour, cover = paint(below, colour, mass), np.maximum(cover, mass)
    else:
        colour, cover = _body(sheet, colour, mass)
        if identity.hair_style == "long":
            # locks fall in front of the shoulders, beside the neck
            locks = mass * step(np.abs(sheet.s) - 0.72, 0.3)
            colour = paint(colour, strands * shade[..., None], locks * (0.6 + 0.4 * identity.hair_length))
    out = np.concatenate([np.clip(colour, 0, 1) * cover[..., None], cover[..., None]], axis=-1)
    return out[None].astype(np.float32)


def ear(
    identity: Identity,
    side: int,
    p: np.ndarray,
    q: np.ndarray,
    turns: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Cover and brightness of the left (-1) or right (1) ear at points of the image plane."""
    sin_yaw, cos_yaw, sin_pitch = turns
    size = np.float32(identity.ear_size)
    x = (p - np.float32(side * 1.06 * identity.face_width) * cos_yaw + np.float32(0.1) * sin_yaw) / (
        size * np.float32(0.13)
    )
    y = (q - np.float32(0.22) + np.float32(0.2) * sin_pitch + np.float32(0.01 * side) * x) / (
        size * np.float32(0.36)
    )
    radius = np.sqrt(x * x + y * y)
    return np.clip((1 - radius) * 6, 0, 1), np.float32(0.72) + np.float32(0.28) * np.minimum(radius, 1)


def ear_rgb(identity: Identity) -> tuple[float, float, float]:
    red, green, blue = identity.skin_rgb
    return 0.9 * red, 0.78 * green, 0.76 * blue


def backdrop(
    identity: Identity, height: int, width: int, rng: np.random.Generator
) -> Float[np.ndarray, "3 h w"]:
    """An unsharp room: a wall in uneven light with a few things on it."""
    wall = np.asarray(identity.wall_rgb, np.float32)
    accent = np.asarray(identity.accent_rgb, np.float32)
    y, x = np.mgrid[0:1:40j, 0:1:60j]
    room = np.repeat(
        (1.0 + 0.35 * rng.normal() * (x - 0.5) - 0.25 * rng.random() * (y - 0.3))[..., None], 3, axis=-1
    )
    room *= wall
    for _ in range(int(rng.integers(0, 6))):
        left, top = rng.uniform(-0.1, 1, 2)
        wide, tall = rng.uniform(0.05, 0.3, 2)
        is_there = (x > left) & (x < left + wide) & (y > top) & (y < top + tall)
        room[is_there] = room[is_there] * 0.35 + 0.65 * (
            accent if rng.random() < 0.4 else wall * rng.uniform(0.4, 1.5)
        )
    room = ndimage.gaussian_filter(room, (0.7, 0.7, 0))
    room = ndimage.zoom(room, (height / 40, width / 60, 1), order=1)
    return np.ascontiguousarray(np.clip(room, 0.02, 0.98).transpose(2, 0, 1), np.float32)


@dataclasses.dataclass(frozen=True)
class Occluder:
    """A hand or a thing that slides in front of the face from one side."""

    rgb: tuple[float, float, float]
    angle: float
    is_hand: bool

    def cover(self, p: np.ndarray, q: np.ndarray, amount: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cover and brightness over the image plane; at amount 1 the cover is exactly 1 on all the head."""
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        q = q - np.float32(0.2)
        along, across = p * cos + q * sin, q * cos - p * sin
        # the last step clears the crop and the outline of the head too
        edge = 1.75 - 2.9 * amount - 2.2 * np.clip((amount - 0.88) * 9, 0, 1)
        if self.is_hand:
            # fingers of unequal length, with dark gaps down to the palm
            finger = np.abs(np.cos(across * np.float32(np.pi * FINGERS_PER_UNIT)))
            edge = edge - 0.1 * np.sqrt(finger) - 0.12 * np.cos(across * np.float32(2.2))
            gap = np.exp(-((finger / np.float32(0.22)) ** 2)) * np.clip(1.5 - (along - edge), 0, 1)
            tone = 0.95 - 0.35 * gap
        else:
            tone = np.float32(0.95)
        reach = np.minimum(along - edge, np.float32(3.3) - np.abs(across))
        reach = np.minimum(reach, np.float32(3.6) - along)
        cover = np.clip(reach * np.float32(16) + np.float32(0.5), 0, 1) * (amount > 0)
        return cover, tone - 0.12 * np.clip(across * np.float32(0.3), -1, 1)


def sample_occluder(identity: Identity, rng: np.random.Generator) -> Occluder:
    angle = float(rng.choice((0.0, 0.6, 1.57, 2.5, 3.14)) + rng.normal(0, 0.15))
    if rng.random() < 0.6:
        return Occluder(tuple(0.93 * v for v in identity.skin_rgb), angle, True)
    red, green, blue = (float(v) for v in rng.uniform(0.08, 0.85, 3))
    return Occluder((red, green, blue), angle, False)
