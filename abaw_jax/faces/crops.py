"""Aligned crops of a video's tracks straight from its frames, row by row.

Two passes: who the subjects are is known only when the whole video has been seen, and pixels are not kept.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Float, UInt8

from abaw_jax.faces.align import SIZE_PX, align
from abaw_jax.faces.detection import Detector
from abaw_jax.faces.follow import Frame, Sighting, follow
from abaw_jax.faces.sightings import Sightings
from abaw_jax.faces.subjects import choose, sides_of
from abaw_jax.faces.tracking import Tracking

Crop = UInt8[np.ndarray, "s s 3"]


@dataclasses.dataclass(frozen=True)
class CropSettings:
    """How faces are cut out of a video. All of it shows in the pixels, so a fingerprint has to cover it."""

    size_px: int = SIZE_PX
    detect_every: int = 1
    """Search every n-th frame only; landmarks between two sightings in one shot are interpolated."""
    tracking: Tracking = dataclasses.field(default_factory=Tracking)


def crops(
    frames: Callable[[], Iterable[Frame]],
    names: Sequence[str],
    detector: Detector,
    settings: CropSettings | None = None,
) -> Iterator[tuple[int, dict[str, Crop | None]]]:
    """(index of a frame, the aligned face of each track or None), for every frame that can be decoded.

    `frames` starts the same video anew each time; `names` are all tracks of it.
    """
    settings = settings or CropSettings()
    sides_of(names)  # a wrong name should not cost a pass over the video
    with Sightings() as sightings:
        sightings.extend(follow(frames(), detector, settings.tracking, settings.detect_every))
        persons, number = choose(sightings, names), 0
        for frame in frames():
            while number < len(sightings) and sightings[number].index < frame.index:
                number += 1
            is_known = number < len(sightings) and sightings[number].index == frame.index
            at = number if is_known else None
            yield frame.index, {n: _crop(frame, sightings, at, p, settings) for n, p in persons.items()}


def _crop(
    frame: Frame,
    sightings: Sequence[Sighting],
    number: int | None,
    person: int | None,
    settings: CropSettings,
) -> Crop | None:
    if number is None or person is None:
        return None
    landmarks = landmarks_at(sightings, number, person, settings.detect_every)
    return align(frame.image, landmarks, settings.size_px) if landmarks is not None else None


def landmarks_at(
    sightings: Sequence[Sighting], number: int, person: int, detect_every: int
) -> Float[np.ndarray, "5 2"] | None:
    """A person's landmarks in the n-th frame: seen, or between those seen before and after in the same shot.

    With one neighbour only they are held. A frame that was searched in vain has none: a face behind a hand
    is not to be seen, however well one knows where it is.
    """
    here = sightings[number]
    if here.was_searched:
        return here.landmarks_of(person)
    before = number - number % detect_every
    around = [
        (at, sightings[at].landmarks_of(person))
        for at in (before, before + detect_every)
        if at < len(sightings) and sightings[at].shot == here.shot
    ]
    known = [(at, landmarks) for at, landmarks in around if landmarks is not None]
    if len(known) < 2:
        return known[0][1] if known else None
    (first, start), (last, end) = known
    share = (number - first) / (last - first)
    return (1 - share) * start + share * end
