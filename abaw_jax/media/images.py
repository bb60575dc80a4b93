"""Images of faces as RGB pixels: exactly what the file says, or an error that says what it is instead."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageFile, ImageOps

from abaw_jax.media.threads import ordered_map
from abaw_jax.problems import Problem, UnusableFile, shorten

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
"""Still pictures; Pillow's list also has programs (EPS is run by Ghostscript)."""
MAX_PIXELS = 89_478_485
"""Pillow's own line (256 MB of RGB): a file past it wants to fill the memory, not show a face."""
THREADS = 4
AHEAD = 64
"""Images decoded and not yet taken: 2.4 MB of aligned crops."""

UNREADABLE = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error,
    Image.DecompressionBombError, Image.DecompressionBombWarning, UserWarning,
)  # fmt: skip
"""What Pillow raises on broken files, by format and place; its warnings where they are made errors."""


def read_image(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    """RGB, upright by its EXIF orientation; grey and CMYK converted, transparency dropped.

    Raises UnusableFile for what is no image, is cut short, or is larger than anybody's picture.
    """
    try:
        if not path.stat().st_size:
            raise UnusableFile(Problem(str(path), None, "empty image", "0 bytes", "an image"))
        with Image.open(path, formats=FORMATS) as image:
            return _pixels(image, path)
    except UnusableFile:
        raise
    except UNREADABLE as error:
        found = shorten(str(error).replace(str(path), path.name))
        raise UnusableFile(Problem(str(path), None, "unreadable image", found, "a whole image")) from error


def _pixels(image: Image.Image, path: Path) -> np.ndarray:
    width, height = image.size
    if width * height > MAX_PIXELS:
        found = f"{width} x {height} pixels"
        raise UnusableFile(Problem(str(path), None, "image too large", found, f"at most {MAX_PIXELS}"))
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise RuntimeError("ImageFile.LOAD_TRUNCATED_IMAGES is set: cut images would pass for whole ones")
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, axis=-1)
    if "transparency" in image.info:
        image = image.convert("RGBA")  # some palettes only convert this way
    return np.array(image.convert("RGB"))


def read_images(
    paths: Iterable[Path], threads: int = THREADS, ahead: int = AHEAD
) -> Iterator[UInt8[np.ndarray, "h w 3"] | Problem]:
    """Image after image in the order of `paths`, and the Problem of each that cannot be read in its place.

    Decoded in threads (Pillow's decoders run beside each other), at most `ahead` before they are taken.
    """
    for _, image in ordered_map(_read_or_tell, paths, threads, ahead):
        yield image


def _read_or_tell(path: Path) -> np.ndarray | Problem:
    try:
        return read_image(path)
    except UnusableFile as error:
        return error.problem
