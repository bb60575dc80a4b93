"""VGGish (Hershey et al. 2017, arXiv 1609.09430): 0.96 seconds of log-mel in, one embedding out.

Modules carry the numbers of the public PyTorch port, in which activations and pools count too.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.nn.linear import Linear
from abaw_jax.types import DType

FRAMES, MELS = 96, 64
POOLED_AFTER = (0, 3, 8, 13)
CONVOLUTIONS = (0, 3, 6, 8, 11, 13)
QUANTISED = 2.0
"""What lies beyond is clipped before the eight bits (vggish_postprocess of the original)."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes of the published network; weights say their own."""

    channels: tuple[int, ...] = (64, 128, 256, 256, 512, 512)
    hidden_size: int = 4096
    embedding_size: int = 128
    has_pca: bool = False

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "Config":
        """From a `config.json`."""
        names = {field.name for field in dataclasses.fields(cls)}
        known = {key: value for key, value in config.items() if key in names}
        return cls(**{key: tuple(v) if isinstance(v, list) else v for key, v in known.items()})


class PCA(nn.Module):
    """The whitening and the eight bits that AudioSet's published features went through: 0 to 255."""

    size: int

    @nn.compact
    def __call__(self, x: Float[Array, "b d"]) -> Float[Array, "b d"]:
        means = self.param("pca_means", nn.initializers.zeros, (self.size,))
        vectors = self.param("pca_eigen_vectors", nn.initializers.orthogonal(), (self.size, self.size))
        clipped = jnp.clip((x - means[None]) @ vectors.T, -QUANTISED, QUANTISED)
        return jnp.round((clipped + QUANTISED) * (255 / (2 * QUANTISED)))


class VGGish(nn.Module):
    """[b 96 64] log-mel ▶ the embedding after its last activation, and `pca` of it where there is one."""

    config: Config
    dtype: DType = jnp.float32

    def setup(self) -> None:
        c = self.config
        widths = (
            (FRAMES // 16) * (MELS // 16) * c.channels[-1],
            c.hidden_size,
            c.hidden_size,
            c.embedding_size,
        )
        for number, width in zip(CONVOLUTIONS, c.channels, strict=True):
            setattr(self, f"features_{number}", nn.Conv(width, (3, 3), padding=1, dtype=self.dtype))
        for n in range(3):
            setattr(self, f"embeddings_{2 * n}", Linear(widths[n], widths[n + 1], dtype=self.dtype))
        if c.has_pca:
            self.pproc = PCA(c.embedding_size)

    def __call__(self, mel: Float[Array, "b 96 64"]) -> dict[str, Float[Array, "b d"]]:
        x = mel[..., None].astype(self.dtype)
        for number in CONVOLUTIONS:
            x = jax.nn.relu(getattr(self, f"features_{number}")(x))
            if number in POOLED_AFTER:
                x = nn.max_pool(x, (2, 2), (2, 2))
        # channels last, as the original flattened and as the port turns its own before it flattens
        x = x.reshape(len(x), -1)
        for n in range(3):
            x = jax.nn.relu(getattr(self, f"embeddings_{2 * n}")(x))
        embedding = x.astype(jnp.float32)
        return {"embedding": embedding} | ({"pca": self.pproc(embedding)} if self.config.has_pca else {})
