"""What does not move on a head: colour, relief and hair, painted once per identity on a texture grid."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from abaw_jax.corpus.synthetic import face_geometry as geometry
from abaw_jax.corpus.synthetic.face import Identity
from abaw_jax.corpus.synthetic.sampling import bilinear

CHANNELS = 7  # red green blue, normal x y z, gloss


@dataclasses.dataclass(frozen=True)
class Canvas:
    """The nodes of a texture grid, how they look from the front, and the identity's own random numbers."""

    identity: Identity
    grid: geometry.Grid
    s: np.ndarray
    y: np.ndarray
    x: np.ndarray
    front: np.ndarray  # cosine of the angle; negative behind the ears
    rng: np.random.Generator

    def spot(self, x: float, y: float, width: float, height: float) -> np.ndarray:
        """A pair of soft spots, left and right."""
        off_x, off_y = (np.abs(self.x) - x) / width, (self.y - y) / height
        return np.exp(-(off_x**2) - off_y**2) * (self.front > 0)

    def grain(self, along: np.ndarray, across: np.ndarray) -> np.ndarray:
        """Smooth noise of unit deviation; one cell per unit of either coordinate."""
        table = self.rng.standard_normal((65, 65), np.float32)
        table[-1], table[:, -1] = table[0], table[:, 0]
        where = (np.asarray(along, np.float32) % 64)[None], (np.asarray(across, np.float32) % 64)[None]
        return bilinear(table[None, :, :, None], *where)[0, 0] * np.float32(1.4)


def make_canvas(identity: Identity, grid: geometry.Grid) -> Canvas:
    s, y = grid.nodes()
    x, front = geometry.plane_x(identity, s, y)
    return Canvas(identity, grid, s, y, x, front, np.random.default_rng(identity.seed))


def step(value: np.ndarray, softness: float) -> np.ndarray:
    """0 to 1 across zero."""
    share = np.clip(value / np.float32(softness) + np.float32(0.5), 0, 1)
    return share * share * (3 - 2 * share)


def paint(colour: np.ndarray, ink: np.ndarray | tuple, cover: np.ndarray) -> np.ndarray:
    return colour + (np.asarray(ink, np.float32) - colour) * cover[..., None]


def relief(canvas: Canvas) -> Float[np.ndarray, "h w"]:
    """How far the skin stands out of the smooth head, in units. Its slope makes shadows and parallax."""
    who, x, y = canvas.identity, np.abs(canvas.x), canvas.y
    tip_y, mouth_y = geometry.nose_tip_y(who), geometry.mouth_height(who)
    down = np.clip((y + 0.12) / (tip_y + 0.12), 0, 1)
    ridge_width = (0.12 + 0.07 * down) * who.nose_width
    ridge = (0.06 + 0.15 * down**1.4) * np.exp(-((x / ridge_width) ** 2))
    ridge *= step(y + 0.2, 0.4) * step(tip_y + 0.08 - y, 0.22)
    nose = ridge + 0.1 * canvas.spot(0.0, tip_y, 0.15 * who.nose_width, 0.12)
    nose += 0.09 * canvas.spot(0.16 * who.nose_width, tip_y + 0.05, 0.09, 0.085)
    eye_x = geometry.eye_centre_x(who)
    face = 0.06 * np.exp(-(((y - who.brow_y - 0.05) / 0.12) ** 2)) * step(0.85 - x, 0.4)
    face -= 0.15 * canvas.spot(eye_x - 0.06, -0.03, 0.26, 0.15)
    face += 0.08 * canvas.spot(eye_x, 0.0, 0.17, 0.11)
    face += 0.06 * canvas.spot(0.62, 0.42, 0.26, 0.2) - 0.03 * canvas.spot(0.75, 0.95, 0.2, 0.25)
    face += 0.07 * canvas.spot(0.0, mouth_y, 0.4, 0.2) - 0.012 * canvas.spot(0.0, mouth_y - 0.24, 0.05, 0.1)
    face -= 0.05 * canvas.spot(0.0, mouth_y + 0.23, 0.25, 0.06)
    face += 0.08 * canvas.spot(0.0, mouth_y + 0.4, 0.2, 0.12)
    return (face + nose * who.nose_height) * (canvas.front > 0)


def _normals(canvas: Canvas, height: np.ndarray) -> Float[np.ndarray, "h w 3"]:
    width, centre_z = geometry.at_height(geometry.head_profile(canvas.identity), canvas.y)
    sine = np.sin(canvas.s / geometry.UNITS_PER_RADIAN)
    points = np.stack(
        [canvas.x + 0.5 * height * sine, canvas.y, centre_z + width * canvas.front + height], axis=-1
    )
    down, across = np.gradient(points, axis=0), np.gradient(points, axis=1)
    normal = np.cross(across, down)
    return normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)


def _complexion(canvas: Canvas) -> np.ndarray:
    who, texels = canvas.identity, canvas.grid.texels_per_unit
    skin = np.asarray(who.skin_rgb, np.float32)
    tip_y = geometry.nose_tip_y(who)
    blotches = canvas.grain(canvas.y * 3.1, canvas.s * 3.1) + canvas.grain(canvas.y * 8, canvas.s * 8)
    pores = ndimage.gaussian_filter(canvas.rng.normal(size=canvas.s.shape), texels / 60) * texels / 60 * 3
    tone = 1 + 0.012 * blotches + 0.012 * pores
    colour = skin * tone[..., None]
    blush = canvas.spot(0.62, 0.5, 0.28, 0.22) * (0.5 + who.makeup) + 0.5 * canvas.spot(
        0.0, tip_y, 0.16, 0.14
    )
    colour *= 1 - blush[..., None] * np.array((0.0, 0.1, 0.09))
    eye_x = geometry.eye_centre_x(who)
    tired = canvas.spot(eye_x - 0.05, 0.19, 0.2, 0.07) * (0.3 + 0.7 * who.age)
    lids = canvas.spot(eye_x, -0.08, 0.24, 0.1) * (0.4 + who.makeup)
    colour *= 1 - (0.14 * tired + 0.16 * lids)[..., None] * np.array((0.8, 1.0, 0.85))
    marks = np.zeros(canvas.s.shape)
    count = int(3 + 90 * who.freckles)
    rows = canvas.rng.normal(0.35, 0.3, count), canvas.rng.normal(0, 0.45, count)
    row = ((rows[0] - canvas.grid.top) * texels).astype(int).clip(0, marks.shape[0] - 1)
    column = ((rows[1] - canvas.grid.left) * texels).astype(int).clip(0, marks.shape[1] - 1)
    np.add.at(marks, (row, column), canvas.rng.uniform(0.2, 1, count))
    marks = ndimage.gaussian_filter(marks, texels / 70) * (texels / 70) ** 2 * 4
    return colour * (1 - np.clip(marks, 0, 1)[..., None] * np.array((0.22, 0.3, 0.32)))


def _ageing(canvas: Canvas) -> np.ndarray:
    """Folds that stay: beside the mouth, under the eyes, along the forehead."""
    who, x, y = canvas.identity, np.abs(canvas.x), canvas.y
    fold_x = 0.2 * who.nose_width + 0.34 * np.clip((y - 0.56) / 0.55, 0, 1.2) ** 0.8
    fold = np.exp(-(((x - fold_x) / 0.03) ** 2)) * step(y - 0.6, 0.15) * step(1.12 - y, 0.25)
    wavy = y + 0.02 * np.cos(3 * canvas.x)
    lines = np.exp(-(((wavy + 0.62) / 0.014) ** 2)) + np.exp(-(((wavy + 0.75) / 0.014) ** 2))
    bags = np.exp(-(((y - 0.17 + 0.5 * (x - 0.5) ** 2) / 0.022) ** 2)) * canvas.spot(0.47, 0.17, 0.2, 0.2)
    depth = 0.04 + 0.15 * who.age**1.5
    return 1 - depth * (0.7 * fold + 0.5 * bags + 0.7 * who.age * lines * (x < 0.55)) * (canvas.front > 0)


def _nostrils(canvas: Canvas) -> np.ndarray:
    who = canvas.identity
    tip_y = geometry.nose_tip_y(who)
    holes = canvas.spot(0.09 * who.nose_width, tip_y + 0.1, 0.045, 0.026)
    under = canvas.spot(0.0, tip_y + 0.12, 0.16 * who.nose_width, 0.035)
    wing = np.hypot((np.abs(canvas.x) - 0.16 * who.nose_width) / 0.1, (canvas.y - tip_y - 0.05) / 0.09)
    crease = np.exp(-(((wing - 1) / 0.18) ** 2)) * (np.abs(canvas.x) > 0.2 * who.nose_width)
    return 1 - 0.55 * holes - 0.06 * under - 0.16 * crease * (canvas.front > 0)


def brow_line(who: Identity, outward: np.ndarray) -> np.ndarray:
    """Height of the middle of a brow at a distance from the midline."""
    share = np.clip((outward - 0.14) / 0.7, 0, 1)
    return who.brow_y + 0.03 - who.brow_arch * 4 * share * (1 - 0.72 * share) + 0.05 * share


def _brows(canvas: Canvas) -> np.ndarray:
    who, x = canvas.identity, np.abs(canvas.x)
    share = (x - 0.14) / 0.7
    thickness = 0.062 * who.brow_thickness * (1 - 0.62 * np.clip(share, 0, 1))
    off = canvas.y - brow_line(who, x)
    # hairs lie outward and, near the nose, upward
    strands = canvas.grain((x * 0.75 + canvas.y * 0.6) * 34, (canvas.y - 0.55 * x) * 26)
    cover = step(thickness - np.abs(off) + 0.008 * strands, 0.075) * step(share, 0.2) * step(1.0 - share, 0.3)
    return np.clip(cover * (0.82 + 0.1 * strands), 0, 1) * (canvas.front > 0)


def _beard(canvas: Canvas) -> np.ndarray:
    who, x, y = canvas.identity, np.abs(canvas.x), canvas.y
    mouth_y = geometry.mouth_height(who)
    edge = 0.55 + 0.62 * np.exp(-(((x - 0.1) / 0.42) ** 2)) + 0.04 * canvas.grain(canvas.y * 9, canvas.s * 9)
    jaw = step(y - edge, 0.22) * step(np.abs(canvas.s) * -1 + 1.35, 0.2)
    jaw *= 1 - canvas.spot(0.0, mouth_y, 0.38, 0.12)
    lip = canvas.spot(0.14, mouth_y - 0.17, 0.3, 0.075)
    strands = 0.82 + 0.16 * canvas.grain((y + 0.3 * x) * 12, (x - 0.3 * y) * 36)
    density = np.maximum(who.beard * jaw, who.moustache * lip * 1.2)
    return np.clip(density * strands, 0, 0.95)


def scalp(canvas: Canvas) -> Float[np.ndarray, "h w"]:
    """Where the head is covered by hair (or a scarf)."""
    who, y, s = canvas.identity, canvas.y, canvas.s
    side = np.abs(s)
    ragged = 0.025 * canvas.grain(s * 14, y * 3) + 0.03 * canvas.grain(s * 4, y * 2)
    line = who.hairline_y + 0.16 * side**2 + 0.05 * np.cos(2.5 * s + who.parting)
    # bare corners of the forehead come with age; hair falls away from the parting
    line = line - 0.25 * (who.recession + 0.2) * np.exp(-(((side - 0.55) / 0.3) ** 2))
    line = (
        line
        - 0.16 * who.parting * np.clip(s, -0.7, 0.7)
        - 0.1 * np.exp(-(((s - 0.55 * who.parting) / 0.14) ** 2))
    )
    # the temple: the line falls steeply towards the sideburn in front of the ear
    line = line + 1.5 * step(side - 1.13, 0.4) * (0.72 if who.hair_style != "bald" else 0.6)
    if who.hair_style == "bald":
        line = np.where(side < 1.25, -9, line)
    if who.hair_style == "fringe":
        drop = 0.36 + 0.07 * np.cos(2.2 * s - 2 * who.parting)
        line = np.maximum(line, who.hairline_y + drop * step(1.0 - side, 0.3))
        ragged *= 2
    if who.hair_style in ("long", "scarf"):
        line = np.where(side > 1.0, line + 2.2 * step(side - 1.12, 0.25) * step(1.15 - y, 0.4), line)
    if who.hair_style == "scarf":
        line, ragged = line + 0.12, 0 * ragged
    return step(line + ragged - y, 0.2 if who.hair_style == "buzz" else 0.13)


def hair_colour(canvas: Canvas, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Strands or curls of the identity's hair over flow coordinates, or the cloth of a scarf."""
    who = canvas.identity
    if who.hair_style == "scarf":
        folds = 1 + 0.08 * np.sin(across * 7 + 0.6 * canvas.grain(along * 2, across * 2))
        return np.asarray(who.accent_rgb) * folds[..., None]
    if who.hair_style in ("curly", "buzz"):
        curl = 9 if who.hair_style == "curly" else 30
        tone = canvas.grain(along * curl, across * curl) * 0.16 + canvas.grain(along * 22, across * 22) * 0.07
    else:
        wave = across + 0.05 * np.sin(along * 3 + who.parting * 3)
        tone = canvas.grain(along * 1.2, wave * 11) * 0.14 + canvas.grain(along * 2.5, wave * 34) * 0.16
    shine = 0.12 * np.exp(-(((along - 0.75) / 0.25) ** 2))
    return (
        np.asarray(who.hair_rgb) * np.clip(1 + tone + 2 * shine, 0.45, 1.8)[..., None]
        + 0.25 * shine[..., None]
    )


@functools.lru_cache(maxsize=8)
def skin_texture(identity: Identity, texels_per_unit: float) -> Float[np.ndarray, "h w 7"]:
    """The resting head: colour, surface normal, gloss."""
    canvas = make_canvas(identity, geometry.skin_grid(texels_per_unit))
    height = relief(canvas)
    colour = _complexion(canvas) * (_ageing(canvas) * _nostrils(canvas))[..., None]
    # hollows see less of the sky
    hollow = ndimage.gaussian_filter(height, texels_per_unit * 0.12) - height
    colour *= 1 - np.clip(2.0 * hollow, -0.08, 0.22)[..., None] * np.array((0.85, 1.0, 1.05))
    hair_ink = np.asarray(identity.hair_rgb)
    colour = paint(colour, hair_ink * 0.8, _beard(canvas))
    colour = paint(colour, hair_ink * 0.75, _brows(canvas) * 0.9)
    crown_x, crown_y = canvas.s - 0.5 * identity.parting, canvas.y + 1.75
    cover = scalp(canvas)
    shadow = ndimage.gaussian_filter(cover, texels_per_unit * 0.06) * (1 - cover)
    colour *= 1 - 0.5 * shadow[..., None]
    strands = hair_colour(canvas, np.hypot(crown_x, crown_y), 2.2 * np.arctan2(crown_x, crown_y + 0.3))
    colour = paint(colour, strands, cover * (0.75 if identity.hair_style == "buzz" else 1))
    texture = np.zeros((*height.shape, CHANNELS), np.float32)
    texture[..., :3] = np.clip(colour, 0.01, 1.2)
    texture[..., 3:6] = _normals(canvas, height)
    texture[..., 6] = (1 - cover) * (1 - 0.6 * identity.beard * step(canvas.y - 1.0, 0.3))
    return texture
