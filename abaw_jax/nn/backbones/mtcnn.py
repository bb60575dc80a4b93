"""The three networks of MTCNN: proposals, refinement, and output with five landmarks.

Zhang, Zhang, Li and Qiao 2016, "Joint Face Detection and Alignment using Multitask Cascaded Convolutional
Networks" (arXiv 1604.02878). Layers are named as in the `mtcnn` wheel, whose weights they take. Images are
RGB, (pixel - 127.5) / 128. Offsets are (x0, y0, x1, y1) in parts of the box's width and height.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class PReLU(nn.Module):
    """A leak for each channel; flax's own has one for all."""

    @nn.compact
    def __call__(self, x: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
        alpha = self.param("alpha", nn.initializers.constant(0.25), (x.shape[-1],))
        return jnp.maximum(x, 0) + jnp.minimum(x, 0) * alpha.reshape((1,) * (x.ndim - 1) + (-1,))


class PNet(nn.Module):
    """A score and a box offset for every 12x12 cell of an image of any size, two pixels apart."""

    def setup(self) -> None:
        self.conv1, self.prelu1 = _conv(10, 3), PReLU()
        self.conv2, self.prelu2 = _conv(16, 3), PReLU()
        self.conv3, self.prelu3 = _conv(32, 3), PReLU()
        self.conv4_1, self.conv4_2 = _conv(4, 1), _conv(2, 1)

    def __call__(
        self, x: Float[Array, "b h w 3"]
    ) -> tuple[Float[Array, "b rows columns 4"], Float[Array, "b rows columns"]]:
        x = _pool(self.prelu1(self.conv1(x)), 2, "SAME")
        x = self.prelu2(self.conv2(x))
        x = self.prelu3(self.conv3(x))
        return self.conv4_1(x), _face_score(self.conv4_2(x))


class RNet(nn.Module):
    """A score and a better box for 24x24 crops."""

    def setup(self) -> None:
        self.conv1, self.prelu1 = _conv(28, 3), PReLU()
        self.conv2, self.prelu2 = _conv(48, 3), PReLU()
        self.conv3, self.prelu3 = _conv(64, 2), PReLU()
        self.fc4, self.prelu4 = nn.Dense(128), PReLU()
        self.fc5_1, self.fc5_2 = nn.Dense(4), nn.Dense(2)

    def __call__(self, x: Float[Array, "b 24 24 3"]) -> tuple[Float[Array, "b 4"], Float[Array, " b"]]:
        x = _pool(self.prelu1(self.conv1(x)), 3, "SAME")
        x = _pool(self.prelu2(self.conv2(x)), 3, "VALID")
        x = self.prelu3(self.conv3(x))
        x = self.prelu4(self.fc4(_flat(x)))
        return self.fc5_1(x), _face_score(self.fc5_2(x))


class ONet(nn.Module):
    """A score, a last box and five landmarks for 48x48 crops; landmarks as (x, y) in parts of the crop."""

    def setup(self) -> None:
        self.conv1, self.prelu1 = _conv(32, 3), PReLU()
        self.conv2, self.prelu2 = _conv(64, 3), PReLU()
        self.conv3, self.prelu3 = _conv(64, 3), PReLU()
        self.conv4, self.prelu4 = _conv(128, 2), PReLU()
        self.fc5, self.prelu5 = nn.Dense(256), PReLU()
        self.fc6_1, self.fc6_2, self.fc6_3 = nn.Dense(4), nn.Dense(10), nn.Dense(2)

    def __call__(
        self, x: Float[Array, "b 48 48 3"]
    ) -> tuple[Float[Array, "b 4"], Float[Array, " b"], Float[Array, "b 5 2"]]:
        x = _pool(self.prelu1(self.conv1(x)), 3, "SAME")
        x = _pool(self.prelu2(self.conv2(x)), 3, "VALID")
        x = _pool(self.prelu3(self.conv3(x)), 2, "SAME")
        x = self.prelu4(self.conv4(x))
        x = self.prelu5(self.fc5(_flat(x)))
        landmarks = self.fc6_2(x).reshape(-1, 2, 5).swapaxes(1, 2)  # the five x stand before the five y
        return self.fc6_1(x), _face_score(self.fc6_3(x)), landmarks


def _conv(channels: int, size: int) -> nn.Conv:
    return nn.Conv(channels, (size, size), padding="VALID")


def _pool(x: Array, size: int, padding: str) -> Array:
    return nn.max_pool(x, (size, size), strides=(2, 2), padding=padding)


def _flat(x: Float[Array, "b h w d"]) -> Float[Array, "b n"]:
    """Columns before rows: the dense layers were trained on MATLAB's order of memory."""
    return x.swapaxes(1, 2).reshape(x.shape[0], -1)


def _face_score(logits: Float[Array, "*n 2"]) -> Float[Array, "*n"]:
    return jax.nn.softmax(logits, axis=-1)[..., 1]
