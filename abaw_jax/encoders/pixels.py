"""Faces on their way into a network: cut a region, resize on the host in uint8, normalise on the device.

Settings are those of `preprocessor_config.json`, and so are the results: PIL resizes, as the reference does.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8
from PIL import Image

from abaw_jax.encoders.files import UnusableWeights
from abaw_jax.types import DType

REGIONS = {
    "whole": (0.0, 0.0, 1.0, 1.0),
    "brows": (0.08, 0.10, 0.92, 0.58),
    "middle": (0.08, 0.38, 0.92, 0.80),
    "mouth": (0.14, 0.62, 0.86, 1.0),
}
"""Left, top, right, bottom as shares of an aligned crop, whose eyes lie at 46 % of its height and whose mouth
corners at 82 %: brows and eyes (AU1, 2, 4, 7), middle (AU6, 10), mouth (AU12, 15, 23 to 26)."""

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES = ((0.5,) * 3, (0.5,) * 3)
BILINEAR, BICUBIC = int(Image.Resampling.BILINEAR), int(Image.Resampling.BICUBIC)
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


@dataclasses.dataclass(frozen=True)
class Pixels:
    """From an image of any size to the network's input."""

    shortest: int | None
    """Resize the shorter edge to this, keeping the aspect; None: straight to `size`."""
    size: tuple[int, int]
    """Height and width of the input, cut from the centre where the resized image is larger."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resample: int = BICUBIC
    factor: float = 1 / 255
    region: str = "whole"

    def __post_init__(self) -> None:
        if self.region not in REGIONS:
            raise ValueError(f"no region {self.region!r} of a face; expected one of: {', '.join(REGIONS)}")

    def identity(self) -> dict[str, Any]:
        """What features depend on."""
        return dataclasses.asdict(self)

    def prepare(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "p q 3"]:
        """Cut, resize, crop: still uint8, a quarter of the bytes to move to the device."""
        source = Image.fromarray(image)
        height, width = self.size
        if self.region != "whole":
            # a region is wider than high: it fills the input rather than lose its sides to a centre crop
            box = tuple(
                share * edge for share, edge in zip(REGIONS[self.region], source.size * 2, strict=True)
            )
            return np.asarray(source.resize((width, height), self.resample, box=box))
        if self.shortest is None:
            return np.asarray(source.resize((width, height), self.resample))
        return _centre(np.asarray(self._resize_shorter(source)), height, width)

    def _resize_shorter(self, source: Image.Image) -> Image.Image:
        width, height = source.size
        short, long = min(width, height), max(width, height)
        longer = int(self.shortest * long / short)
        resized = (self.shortest, longer) if width <= height else (longer, self.shortest)
        return source if resized == source.size else source.resize(resized, self.resample)

    def normalise(self, images: UInt8[Array, "b p q 3"], dtype: DType) -> Float[Array, "b p q 3"]:
        """On the device, in float32: (x · factor - mean) / std as one multiplication and one addition."""
        scale = np.float32(self.factor) / np.asarray(self.std, np.float32)
        shift = -np.asarray(self.mean, np.float32) / np.asarray(self.std, np.float32)
        return (images.astype(jnp.float32) * scale[None, None, None] + shift[None, None, None]).astype(dtype)


def _centre(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The middle of an image, black around one that is too small, as the reference crops."""
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    if top >= 0 and left >= 0:
        return image[top : top + height, left : left + width]
    canvas = np.zeros((max(height, image.shape[0]), max(width, image.shape[1]), 3), image.dtype)
    y, x = -(-(canvas.shape[0] - image.shape[0]) // 2), -(-(canvas.shape[1] - image.shape[1]) // 2)
    canvas[y : y + image.shape[0], x : x + image.shape[1]] = image
    top, left = (canvas.shape[0] - height) // 2, (canvas.shape[1] - width) // 2
    return canvas[top : top + height, left : left + width]


def from_config(config: Mapping[str, Any], default: Pixels) -> Pixels:
    """Read a `preprocessor_config.json`; what it leaves out is the network's default."""
    for key in ("do_resize", "do_center_crop"):
        if config.get(key) is False and not (key == "do_center_crop" and default.shortest is None):
            raise UnusableWeights(
                f"preprocessor_config.json: found {key}=false; expected true, a network has one size"
            )
    shortest, size = _sizes(config, default)
    return dataclasses.replace(
        default,
        shortest=shortest,
        size=size,
        mean=tuple(config.get("image_mean", default.mean))
        if config.get("do_normalize", True)
        else (0.0,) * 3,
        std=tuple(config.get("image_std", default.std)) if config.get("do_normalize", True) else (1.0,) * 3,
        resample=int(config.get("resample", default.resample)),
        factor=float(config.get("rescale_factor", default.factor)) if config.get("do_rescale", True) else 1.0,
    )


def _sizes(config: Mapping[str, Any], default: Pixels) -> tuple[int | None, tuple[int, int]]:
    wanted = config.get("size")
    if wanted is None:
        return default.shortest, default.size
    if "crop_pct" in config:
        return by_share(wanted if isinstance(wanted, int) else wanted["shortest_edge"], config["crop_pct"])
    if isinstance(wanted, int):
        wanted = (
            {"shortest_edge": wanted} if default.shortest is not None else {"height": wanted, "width": wanted}
        )
    if "shortest_edge" not in wanted:
        return None, (wanted["height"], wanted["width"])
    crop = config.get("crop_size", wanted["shortest_edge"])
    crop = (crop, crop) if isinstance(crop, int) else (crop["height"], crop["width"])
    return wanted["shortest_edge"], crop


CROP_SHARE = 224 / 256
WARPED_FROM = 384
"""ConvNeXt's papers cut nothing off from here on."""


def by_share(edge: int, share: float | None = None) -> tuple[int | None, tuple[int, int]]:
    """ConvNeXt's rule, ResNet's too: of small inputs the centre that is this share of the resized image."""
    return None if edge >= WARPED_FROM else int(edge / (share or CROP_SHARE)), (edge, edge)
