"""Everything on a face that moves by itself: folds, eyes, mouth; and the spectacles in front of them.

An overlay has five channels: colour times cover, cover, and a change of brightness for lashes and folds.
"""

from __future__ import annotations

import functools

import numpy as np
from jaxtyping import Float

from abaw_jax.corpus.synthetic import face_geometry as geometry
from abaw_jax.corpus.synthetic.face import Identity, Look
from abaw_jax.corpus.synthetic.face_actions import fold_bases
from abaw_jax.corpus.synthetic.face_eyes import eyes
from abaw_jax.corpus.synthetic.face_mouth import mouth
from abaw_jax.corpus.synthetic.face_skin import make_canvas
from abaw_jax.corpus.synthetic.face_strokes import edge


@functools.lru_cache(maxsize=16)
def glasses(identity: Identity, texels: float) -> np.ndarray:
    """Frames of the spectacles on the front grid [h, w, 5]; nothing without them."""
    canvas = make_canvas(identity, geometry.front_grid(texels))
    out = np.zeros((*canvas.s.shape, 5), np.float32)
    if identity.glasses == "none":
        return out
    x, y = np.abs(canvas.x), canvas.y
    lens = ((np.abs(x - 0.5) / 0.35) ** 3 + (np.abs(y - 0.03) / 0.25) ** 3) ** (1 / 3)
    half = 0.014 if identity.glasses == "thin" else 0.03
    rim = edge(half - np.abs(lens - 1) * 0.28)
    bridge = edge(half - np.abs(y + 0.06 + 0.3 * x * x)) * (x < 0.17)
    arm = edge(half - np.abs(y + 0.06)) * (x > 0.84)
    cover = np.maximum(np.maximum(rim, bridge), arm)
    ink = np.asarray(identity.accent_rgb, np.float32) * 0.3
    out[..., :3] = ink * cover[..., None]
    out[..., 3] = cover
    return out


def overlays(
    identity: Identity, look: Look, au: Float[np.ndarray, "n 12"], texels: float
) -> Float[np.ndarray, "n h w 5"]:
    """Everything that moves, for each frame."""
    height, width = geometry.front_grid(texels).shape
    out = np.zeros((len(au), height, width, 5), np.float32)
    out[..., 4] = (au @ fold_bases(identity, texels)).reshape(out.shape[:3])
    eyes(identity, look, au, out, texels)
    mouth(identity, au, out, texels)
    if identity.glasses != "none":
        worn = glasses(identity, texels)
        out[..., :4] *= 1 - worn[..., 3:4]
        out[..., 4] *= 1 - worn[..., 3]
        out += worn
    return out
