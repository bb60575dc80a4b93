"""SoundNet with eight layers (Aytar et al. 2016, arXiv 1610.09001): objects and scenes, heard."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.types import DType

# (taps, padding, pool) of conv1 to conv7; every convolution has a stride of 2
LAYERS = ((64, 32, 8), (32, 16, 8), (16, 8, 1), (8, 4, 1), (4, 2, 4), (4, 2, 1), (4, 2, 1))
HEAD_TAPS = 8
STRIDE = 2


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes of the published network; weights say their own."""

    widths: tuple[int, ...] = (16, 32, 64, 128, 256, 512, 1024)
    objects: int = 1000
    scenes: int = 401

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "Config":
        """From a `config.json`."""
        names = {field.name for field in dataclasses.fields(cls)}
        known = {key: value for key, value in config.items() if key in names}
        return cls(**{key: tuple(v) if isinstance(v, list) else v for key, v in known.items()})


def steps(samples: int) -> int:
    """Time steps that both heads make of so many samples; ten seconds at 22,050 Hz make exactly one."""
    for taps, padding, pool in LAYERS:
        samples = ((samples + 2 * padding - taps) // STRIDE + 1) // pool
    return (samples - HEAD_TAPS) // STRIDE + 1


class SoundNet(nn.Module):
    """[b s] sound in ±256 ▶ `conv7`, and the scores of `objects` and `scenes` before any softmax, by time."""

    config: Config
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, sound: Float[Array, "b s"]) -> dict[str, Float[Array, "b t c"]]:
        x = sound[..., None].astype(self.dtype)
        for n, ((taps, padding, pool), width) in enumerate(zip(LAYERS, self.config.widths, strict=True), 1):
            x = nn.Conv(width, (taps,), STRIDE, (padding,), dtype=self.dtype, name=f"conv{n}")(x)
            x = nn.BatchNorm(True, epsilon=1e-5, dtype=self.dtype, name=f"batchnorm{n}")(x)
            x = nn.max_pool(jax.nn.relu(x), (pool,), (pool,))
        found = {"conv7": x}
        for name, key, width in (
            ("objects", "conv8_objs", self.config.objects), ("scenes", "conv8_scns", self.config.scenes)
        ):  # fmt: skip
            found[name] = nn.Conv(width, (HEAD_TAPS,), STRIDE, "VALID", dtype=self.dtype, name=key)(x)
        return found
