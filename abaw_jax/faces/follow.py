"""One pass over a video: which faces are in each frame, and whose. Only numbers are kept, no pixels."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, UInt8

from abaw_jax.faces.detection import Detector, Faces
from abaw_jax.faces.looks import look_of
from abaw_jax.faces.shots import Shots
from abaw_jax.faces.tracking import Tracker, Tracking

BATCH_FRAMES = 8
"""Frames that wait to be searched together; so many of them are in memory at once."""


@runtime_checkable
class Frame(Protocol):
    """What is needed of a frame, wherever it comes from."""

    @property
    def index(self) -> int: ...
    @property
    def time_s(self) -> float: ...
    @property
    def image(self) -> UInt8[np.ndarray, "h w 3"]: ...


@dataclasses.dataclass(frozen=True)
class Sighting:
    """The faces of one frame and the persons they belong to, in the order of the detector."""

    index: int
    time_s: float
    shot: int
    width_px: int
    was_searched: bool
    """Of frames between those that were searched nothing but their shot is known."""
    faces: Faces
    ids: Int[np.ndarray, " n"]

    def landmarks_of(self, person: int) -> Float[np.ndarray, "5 2"] | None:
        """Where the eyes, nose and mouth of somebody are; None if they are not to be seen."""
        at = np.flatnonzero(self.ids == person)
        return self.faces.landmarks[at[0]] if len(at) else None


def follow(
    frames: Iterable[Frame], detector: Detector, tracking: Tracking | None = None, detect_every: int = 1
) -> Iterator[Sighting]:
    """Detect and track through a stream, in constant memory: sightings come a batch of frames late."""
    tracker, shots, shot, is_new_shot = Tracker(tracking), Shots(), 0, False
    for frame, faces in _searched(frames, detector, detect_every):
        is_cut = shots.is_cut(frame.image)
        shot += is_cut
        is_new_shot |= is_cut
        found, ids = faces or Faces.none(), np.zeros(0, int)
        if faces is not None:
            looks = [look_of(frame.image, points) for points in faces.landmarks]
            ids, is_new_shot = tracker.update(frame.time_s, faces.boxes, looks, is_new_shot), False
        width_px = frame.image.shape[1]
        yield Sighting(frame.index, frame.time_s, shot, width_px, faces is not None, found, ids)


def _searched(
    frames: Iterable[Frame], detector: Detector, detect_every: int
) -> Iterator[tuple[Frame, Faces | None]]:
    """Every frame with its faces, or with None where it was not its turn."""
    numbered = enumerate(frames)
    while batch := list(itertools.islice(numbered, BATCH_FRAMES * detect_every)):
        turns = [frame for number, frame in batch if number % detect_every == 0]
        found = iter(_detect(turns, detector))
        for number, frame in batch:
            yield frame, next(found) if number % detect_every == 0 else None


def _detect(frames: list[Frame], detector: Detector) -> list[Faces]:
    """Frames of one size go together; a video may change its size."""
    found: list[Faces] = []
    for _, group in itertools.groupby(frames, key=lambda frame: frame.image.shape):
        found += detector(np.stack([frame.image for frame in group]))
    return found
