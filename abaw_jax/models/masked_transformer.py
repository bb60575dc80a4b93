"""System E: a transformer over a hundred faces, some of them masked while it learns.

Min, Yang, Lim 2024 (arXiv 2403.13731) and the authors' code of March 2024. Its masking of single numbers
(`mask_mode="element"`) is an option, as the paper speaks of frames. What comes out are logits, with a focal
loss of each class and of each unit: the authors take the softmax twice, and cross entropy over units'
sigmoids. Rows without a face are masked where they stand, rows without a label are seen as they are; the
authors leave out both and close the gaps, so that their hundred rows may span more time. Focal alpha is a
constant factor, and left out.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from abaw_jax.nn.linear import Linear
from abaw_jax.nn.masking import hide
from abaw_jax.nn.multihead import PostNormLayer
from abaw_jax.nn.norms import BatchNorm
from abaw_jax.nn.positions import sinusoids
from abaw_jax.nn.streams import Heads, bounded, take_joined
from abaw_jax.problems import one_of
from abaw_jax.types import Batch, DType, Outputs

MASK_MODES = ("frame", "element")
HEADS = ("flat", "rows")


class MaskedTransformer(nn.Module):
    """Its width is that of the streams side by side; a flat head fixes how many rows a window has."""

    streams: tuple[str, ...] = ("video",)
    tasks: tuple[str, ...] = ("va",)
    layers: int = 6
    heads: int = 8
    hidden: int = 2048
    dropout: float = 0.5
    mask_rate: float = 0.5
    """Share of frames (or numbers) that are zeros in training; 0.2, 0.5 and 0.8 were tried."""
    mask_mode: str = "frame"
    head: str = "flat"
    """flat: all rows make one prediction, of the last; rows: each row makes its own."""
    head_width: int = 1024
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, batch: Batch, train: bool = False) -> Outputs:
        """The tasks: of the last row, or of all."""
        one_of("model.mask_mode", self.mask_mode, MASK_MODES)
        one_of("model.head", self.head, HEADS)
        x, present = take_joined(batch, self.streams)
        if train and self.mask_rate > 0:
            x = self._mask(x)
        x = x.astype(self.dtype) + sinusoids(*x.shape[1:])[None].astype(self.dtype)
        for i in range(self.layers):
            layer = PostNormLayer(self.heads, self.hidden, self.dropout, dtype=self.dtype, name=f"layer_{i}")
            x = layer(x, present, train=train)
        out = Heads(self.tasks, name="heads")(
            self._flat(hide(x, present), train) if self.head == "flat" else x
        )
        return bounded(out)

    def _mask(self, x: Float[Array, "b t d"]) -> Float[Array, "b t d"]:
        """Zeros, and nothing made larger for them, as published."""
        shape = (*x.shape[:2], 1) if self.mask_mode == "frame" else x.shape
        return x * jax.random.bernoulli(self.make_rng("dropout"), 1 - self.mask_rate, shape)

    def _flat(self, x: Float[Array, "b t d"], train: bool) -> Float[Array, "b 1 w"]:
        """All rows as one vector; no activation follows, as published."""
        flat = x.reshape(len(x), -1)
        y = Linear(flat.shape[-1], self.head_width, dtype=self.dtype, name="flat")(flat)
        return BatchNorm(self.dtype, name="flat_norm")(y, train=train)[:, None]
