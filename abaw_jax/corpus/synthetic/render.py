"""Pixels: faces as aligned crops, or in full frames, from the same head under another similarity."""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex, Float, UInt8

from abaw_jax.corpus.synthetic import face_geometry as geometry
from abaw_jax.corpus.synthetic import face_scene as scene
from abaw_jax.corpus.synthetic.face import RGB, Identity, Look
from abaw_jax.corpus.synthetic.face_head import head, image_plane, to_units
from abaw_jax.corpus.synthetic.sampling import bilinear, blur

TEXELS_CROP = 40.0  # a crop of 112 has 36 pixels a unit
TEXELS_FRAME = 72.0
BATCH_PIXELS = 51_000  # a few arrays of this size stay in the cache


def render_crops(
    identity: Identity, look: Look, rng: np.random.Generator, size: int = 112
) -> UInt8[np.ndarray, "n {size} {size} 3"]:
    """Aligned face crops, as ArcFace and the cropped_aligned images of Aff-Wild2 have them."""
    a, b = geometry.align(identity, look, size, rng)
    wall = scene.backdrop(identity, size, size, rng)
    occluder = scene.sample_occluder(identity, rng)
    out = np.empty((len(look), size, size, 3), np.uint8)
    batch = max(1, BATCH_PIXELS // size**2)
    for first in range(0, len(look), batch):
        rows = slice(first, first + batch)
        some = look[rows]
        images = np.repeat(wall[:, None], len(some), axis=1)
        _draw(images, identity, some, a[rows], b[rows], occluder, TEXELS_CROP)
        out[rows] = _expose(images, some.blur * (size / 112), some.noise, rng)
    return out


def render_frames(
    subjects: list[tuple[Identity, Look, np.ndarray, np.ndarray]],
    width: int,
    height: int,
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "n {height} {width} 3"]:
    """Full frames of one or more subjects: (identity, look, face centres [n, 2] px, face heights [n] px).

    The room, blur and noise are those of the first.
    """
    first_identity, first_look = subjects[0][:2]
    wall = scene.backdrop(first_identity, height, width, rng)
    occluders = [scene.sample_occluder(subject[0], rng) for subject in subjects]
    out = np.empty((len(first_look), height, width, 3), np.uint8)
    for row in range(len(first_look)):
        images = wall[:, None].copy()
        for (identity, look, centres, heights), occluder in zip(subjects, occluders, strict=True):
            one = slice(row, row + 1)
            a, b = geometry.place(look[one], np.asarray(centres)[one], np.asarray(heights)[one])
            _draw_window(images, identity, look[one], a, b, occluder)
        one_look = first_look[row : row + 1]
        out[row] = _expose(images, one_look.blur, one_look.noise, rng)[0]
    return out


def _draw_window(
    images: Float[np.ndarray, "3 1 h w"],
    identity: Identity,
    look: Look,
    a: Complex[np.ndarray, "1"],
    b: Complex[np.ndarray, "1"],
    occluder: scene.Occluder,
) -> None:
    """Draw where the bust lies; the rest of a frame is wall."""
    reach = 4.6 * abs(a[0])
    left, right = (int(np.clip(b[0].real + side * reach, 0, images.shape[3])) for side in (-1, 1))
    top, bottom = int(np.clip(b[0].imag - reach, 0, images.shape[2])), images.shape[2]
    if left < right and top < bottom:
        texels = TEXELS_FRAME if abs(a[0]) > 40 else TEXELS_CROP
        window = images[:, :, top:bottom, left:right].copy()
        _draw(window, identity, look, a, b - (left + 1j * top), occluder, texels)
        images[:, :, top:bottom, left:right] = window


def _draw(
    images: Float[np.ndarray, "3 n h w"],
    identity: Identity,
    look: Look,
    a: Complex[np.ndarray, " n"],
    b: Complex[np.ndarray, " n"],
    occluder: scene.Occluder,
    texels: float,
) -> None:
    """Draw a person over images, in place, behind what covers them. Pixel = a * unit + b."""
    is_seen = look.occlusion < 1
    if is_seen.all():
        _draw_person(images, identity, look, a, b, texels)
    elif is_seen.any():
        seen = images[:, is_seen]
        _draw_person(seen, identity, look[is_seen], a[is_seen], b[is_seen], texels)
        images[:, is_seen] = seen
    if look.occlusion.max() > 0:
        row, column = np.indices(images.shape[2:], np.float32)
        p, q = image_plane(column, row, to_units(a, b)[:, :, None, None])
        cover, tone = occluder.cover(p, q, look.occlusion.astype(np.float32)[:, None, None])
        tone = tone * cover * look.light[:, 2, None, None].astype(np.float32)
        # not images + cover * (thing - images): that would let the face shine through in the last bit
        _lay(images, _inks(occluder.rgb, tone), cover)


def _draw_person(
    images: Float[np.ndarray, "3 n h w"],
    identity: Identity,
    look: Look,
    a: Complex[np.ndarray, " n"],
    b: Complex[np.ndarray, " n"],
    texels: float,
) -> None:
    """The head, and behind it hair, neck, clothes and ears."""
    columns = _head_columns(identity, look, a, b, images.shape[3])
    shape = (images.shape[2], columns.stop - columns.start)
    colour, cover = head(identity, look, a, b - columns.start, shape, texels)
    is_free = np.ones(images.shape[1:], bool)
    is_free[:, :, columns] = cover < 1
    _draw_behind(images, identity, look, a, b, is_free)
    _lay(images[..., columns], colour, cover)


def _head_columns(identity: Identity, look: Look, a: np.ndarray, b: np.ndarray, width_px: int) -> slice:
    """Columns that the head may touch in any of the frames."""
    width, centre_z = geometry.head_profile(identity)
    is_head = width > 0.01
    y = (geometry.PROFILE_TOP + geometry.PROFILE_STEP * np.arange(len(width)))[is_head]
    aside = width[is_head] + np.abs(centre_z[is_head] * np.sin(np.radians(look.yaw))[:, None]) + 0.05
    # a head that leans reaches aside with its crown, and further if it nods
    reach_px = (np.abs(a.real)[:, None] * aside + np.abs(a.imag)[:, None] * (np.abs(y) + 0.5)).max(axis=1)
    left = int(np.clip((b.real - reach_px).min(), 0, width_px - 1))
    return slice(left, int(np.clip((b.real + reach_px).max() + 1, left + 1, width_px)))


def _lay(
    images: Float[np.ndarray, "3 *n"], inks: Float[np.ndarray, "3 *n"], cover: Float[np.ndarray, "*n"]
) -> None:
    """Lay colours, already multiplied by their cover, over images in place."""
    clear = 1 - cover
    for image, ink in zip(images, inks, strict=True):
        image *= clear
        image += ink


def _inks(rgb: RGB, tone: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "3 *n"]:
    return np.stack([tone * np.float32(level) for level in rgb])


def _draw_behind(
    images: Float[np.ndarray, "3 n h w"],
    identity: Identity,
    look: Look,
    a: np.ndarray,
    b: np.ndarray,
    is_free: np.ndarray,
) -> None:
    """Hair, neck, clothes and ears at the pixels that the head leaves free."""
    height, width = is_free.shape[1:]
    place = np.flatnonzero(is_free)
    frame = np.repeat(np.arange(len(is_free)), is_free.reshape(len(is_free), -1).sum(axis=1))
    row, column = np.divmod((place - frame * (height * width)).astype(np.int32), np.int32(width))
    flat = images.reshape(3, -1)
    pixels = flat.take(place, axis=1)
    p, q = image_plane(column.astype(np.float32), row.astype(np.float32), to_units(a, b)[:, frame])
    light = look.light.astype(np.float32)[frame].T
    sin_yaw, cos_yaw, sin_pitch, _ = (turn[frame, 0, 0] for turn in geometry.turns(look))
    grid = scene.BUST
    texels = np.float32(grid.texels_per_unit)
    sway = p - np.float32(0.12) * sin_yaw
    layer = bilinear(
        scene.bust(identity), (q - np.float32(grid.top)) * texels, (sway - np.float32(grid.left)) * texels
    )
    layer[:3] *= (1 + np.float32(0.12) * light[0] * np.clip(p, -1.5, 1.5)) * light[2]
    _lay(pixels, layer[:3], layer[3])
    if identity.hair_style not in scene.HIDES_EARS:
        for side in (-1, 1):
            cover, tone = scene.ear(identity, side, p, q, (sin_yaw, cos_yaw, sin_pitch))
            tone = tone * cover * light[2] * (1 + np.float32(0.12 * side) * light[0])
            _lay(pixels, _inks(scene.ear_rgb(identity), tone), cover)
    for image, levels in zip(flat, pixels, strict=True):
        image[place] = levels


def _expose(
    images: Float[np.ndarray, "3 n h w"], blur_px: np.ndarray, noise: np.ndarray, rng: np.random.Generator
) -> UInt8[np.ndarray, "n h w 3"]:
    images = blur(images, np.asarray(blur_px, np.float32))
    # after the video codec little but the brightness is noisy
    grain = rng.standard_normal(images.shape[1:], dtype=np.float32)
    grain *= np.asarray(255 * noise, np.float32)[:, None, None]
    grain += np.float32(0.5)
    out = np.empty((*grain.shape, 3), np.uint8)
    for channel in range(3):
        level = images[channel] * np.float32(255)
        level += grain
        out[..., channel] = np.clip(level, 0, 255, out=level)
    return out
