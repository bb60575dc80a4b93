"""Faces as pixels, decoded when a window wants them: a still is a window of one row.

For whoever trains on images instead of cached features. Rows without an image, and images that cannot be
read, are absent; the latter are told of once each.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from abaw_jax.corpus.tracks import IMAGE_KINDS, Track
from abaw_jax.inputs.plan import WindowPlan
from abaw_jax.inputs.source import Kind, LabelChoice, RowSource
from abaw_jax.media.images import read_image
from abaw_jax.problems import UnusableFile
from abaw_jax.types import Batch, present_key

STREAM = "image"


class StillsSource(RowSource):
    """One stream, `image`: uint8 [size, size, 3]."""

    def __init__(
        self, tracks: Sequence[Track], root: Path, size: int, choice: LabelChoice, kind: str | None = None
    ) -> None:
        folders = [_folder(track, root, kind) for track in tracks]
        present = [
            track.has_image(kind) if folder else np.zeros(track.rows, bool)
            for track, folder in zip(tracks, folders, strict=True)
        ]
        super().__init__(tracks, {STREAM: Kind((size, size, 3), np.uint8)}, {STREAM: present}, choice)
        self._folders, self._there, self._size = folders, present, size
        self._unreadable: set[tuple[int, int]] = set()

    def gather(self, name: str, track: int, index: np.ndarray, out: np.ndarray, is_contiguous: bool) -> None:
        """Decoded, and brought to size where it has another."""
        for place, row in enumerate(index.tolist()):
            if not self._there[track][row] or (track, row) in self._unreadable:
                continue
            try:
                image = read_image(self._folders[track] / f"{row + 1:05d}.jpg")
            except UnusableFile as error:
                self._unreadable.add((track, row))
                logging.warning("%s", error)
                continue
            out[place] = _resized(image, self._size)

    def read(self, plan: WindowPlan, windows: np.ndarray) -> Batch:
        """As every source does; what could not be read is absent."""
        batch = dict(super().read(plan, windows))
        if self._unreadable:
            index, _ = plan.streams[STREAM].of(windows)
            for place, (track, rows) in enumerate(zip(batch["track"].tolist(), index.tolist(), strict=True)):
                bad = np.array([(track, row) in self._unreadable for row in rows])
                batch[present_key(STREAM)][place] &= ~bad
                batch[STREAM][place][bad] = 0
        return batch


def _folder(track: Track, root: Path, kind: str | None) -> Path | None:
    kinds = (kind,) if kind else IMAGE_KINDS
    return next((root / track.image_folders[k] for k in kinds if k in track.image_folders), None)


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    if image.shape[:2] == (size, size):
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
