"""The cascade of MTCNN (arXiv 1604.02878): propose at many scales, refine, place five landmarks.

Only fixed shapes reach the compiler: frames come in batches of one or of `batch_frames`, crops in batches of
a few sizes, filled up with grey. The networks run where jax runs, the bookkeeping between them on the host.
"""

import dataclasses
import functools
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float, Int, UInt8

from abaw_jax.faces import boxes as box
from abaw_jax.faces import pyramid, weights
from abaw_jax.faces.detection import Faces
from abaw_jax.faces.patches import patches
from abaw_jax.nn.backbones.mtcnn import ONet, PNet, RNet

CELL_STRIDE_PX = 2
CROP_BATCHES = (8, 32, 128)
MAX_PROPOSALS = 512
"""A level, best first: noise has thousands of cells over the threshold, a crowd has not. Not of the paper."""
OVERLAPS = {"level": 0.5, "frame": 0.7, "refined": 0.7, "final": 0.7}
"""Above these, the worse of two boxes goes; the last counts in parts of the smaller box."""


@dataclasses.dataclass(frozen=True)
class Mtcnn:
    """A detector: batches of frames in, the faces of each out."""

    min_face: float = 0.1
    """The smallest face, in parts of the frame's shorter side; the cost grows with its inverse square."""
    min_face_px: float | None = None
    """The same in pixels, where it should not depend on the frame."""
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.8)
    batch_frames: int = 8
    folder: Path | None = None
    """Where the weights lie, if not in the installed wheel."""

    def __call__(self, images: UInt8[np.ndarray, "b h w 3"]) -> list[Faces]:
        """Faces of each frame, best first. A frame smaller than the smallest face has none."""
        height, width = images.shape[1:3]
        min_face_px = self.min_face_px or self.min_face * min(height, width)
        scales = pyramid.scales(height, width, min_face_px)
        found = []
        for first in range(0, len(images), self.batch_frames):
            found += self._detect(images[first : first + self.batch_frames], scales)
        return found

    @functools.cached_property
    def _params(self) -> dict[str, dict]:
        return jax.device_put({net: {"params": weights.load(net, self.folder)} for net in weights.SHA256})

    def _detect(self, images: np.ndarray, scales: tuple[float, ...]) -> list[Faces]:
        owner, found = self._propose(images, scales)
        owner, found = self._refine(images, owner, found)
        return self._finish(images, owner, found)

    def _propose(self, images: np.ndarray, scales: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Squares that may hold a face, and which frame each belongs to."""
        size = 1 if len(images) == 1 else self.batch_frames
        maps = jax.device_get(_propose(self._params["pnet"], _filled(images, size), scales))
        owner, found = [], []
        for frame in range(len(images)):
            levels = [
                _cells(offsets[frame], scores[frame], scale, self.thresholds[0])
                for (offsets, scores), scale in zip(maps, scales, strict=True)
            ]
            boxes = np.concatenate([level[0] for level in levels] or [np.zeros((0, 4))])
            scores = np.concatenate([level[1] for level in levels] or [np.zeros(0)])
            kept = boxes[box.suppress(boxes, scores, OVERLAPS["frame"])]
            owner.append(np.full(len(kept), frame))
            found.append(box.squares(kept))
        return np.concatenate(owner), np.concatenate(found)

    def _refine(
        self, images: np.ndarray, owner: np.ndarray, found: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The squares that the second network still holds for faces, moved."""
        offsets, scores = _in_batches(_refine, self._params["rnet"], patches(images, owner, found, 24))
        is_face = scores > self.thresholds[1]
        owner, found, scores = owner[is_face], box.moved(found, offsets)[is_face], scores[is_face]
        kept = _suppress_each(owner, found, scores, OVERLAPS["refined"])
        return owner[kept], box.squares(found[kept])

    def _finish(self, images: np.ndarray, owner: np.ndarray, found: np.ndarray) -> list[Faces]:
        seen = patches(images, owner, found, 48)
        offsets, scores, landmarks = _in_batches(_finish, self._params["onet"], seen)
        landmarks = found[:, None, :2] + landmarks * (found[:, None, 2:] - found[:, None, :2] + 1) - 1
        limit = np.array([*images.shape[2:0:-1]] * 2) - 1
        boxes = np.clip(box.moved(found, offsets), 0, limit)
        faces = []
        for frame in range(len(images)):
            mine = np.flatnonzero((owner == frame) & (scores > self.thresholds[2]))
            mine = mine[box.suppress(boxes[mine], scores[mine], OVERLAPS["final"], of_smaller=True)]
            faces.append(Faces(boxes[mine], scores[mine].astype(float), landmarks[mine]))
        return faces


@functools.partial(jax.jit, static_argnames="scales")
def _propose(variables, images, scales: tuple[float, ...]):
    return [PNet().apply(variables, level) for level in pyramid.levels(images, scales)]


@jax.jit
def _refine(variables, crops):
    return RNet().apply(variables, crops)


@jax.jit
def _finish(variables, crops):
    return ONet().apply(variables, crops)


def _filled(array: np.ndarray, size: int) -> np.ndarray:
    """Zeros appended up to a size that is compiled already."""
    return np.concatenate([array, np.zeros((size - len(array), *array.shape[1:]), array.dtype)])


def _cells(
    offsets: Float[np.ndarray, "m n 4"], scores: Float[np.ndarray, "m n"], scale: float, threshold: float
) -> tuple[Float[np.ndarray, "k 4"], Float[np.ndarray, " k"]]:
    """Boxes of one level, in pixels of the frame."""
    at = np.flatnonzero(scores > threshold)
    at = at[np.argsort(-scores.ravel()[at], kind="stable")[:MAX_PROPOSALS]]
    row, column = np.divmod(at, scores.shape[1])
    corner = np.stack([column, row], axis=1) * CELL_STRIDE_PX
    # from the first to the last pixel of a cell counted from one, as in the code the networks came with
    cells = np.concatenate([corner + 1, corner + pyramid.CELL_PX], axis=1)
    boxes = (cells + offsets.reshape(-1, 4)[at] * (pyramid.CELL_PX - 1)) / scale
    kept = box.suppress(boxes, scores.ravel()[at], OVERLAPS["level"])
    return boxes[kept], scores.ravel()[at][kept]


def _suppress_each(
    owner: Int[np.ndarray, " n"], boxes: np.ndarray, scores: np.ndarray, threshold: float
) -> Int[np.ndarray, " m"]:
    """Boxes of different frames do not compete."""
    kept = [np.zeros(0, int)]
    for frame in np.unique(owner):
        mine = np.flatnonzero(owner == frame)
        kept.append(mine[box.suppress(boxes[mine], scores[mine], threshold)])
    return np.concatenate(kept)


def _in_batches(network, variables, crops: np.ndarray) -> list[np.ndarray]:
    """A network over any number of crops, compiled for a few sizes of batch only."""
    parts = []
    for first in range(0, max(len(crops), 1), CROP_BATCHES[-1]):
        some = crops[first : first + CROP_BATCHES[-1]]
        size = next(size for size in CROP_BATCHES if size >= len(some))
        outputs = jax.device_get(network(variables, _filled(some, size)))
        parts.append([output[: len(some)] for output in outputs])
    return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]
