"""Which of the persons seen in a video is the subject of which track.

A track without suffix is the person that fills most of the video. `_left` and `_right` are two persons in
horizontal order; a track without suffix beside one with is the other of the two.
"""

import itertools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from abaw_jax.corpus.tracks import SUBJECT
from abaw_jax.faces.boxes import areas
from abaw_jax.faces.follow import Sighting

OTHER = {"left": "right", "right": "left"}


def choose(sightings: Sequence[Sighting], names: Sequence[str]) -> dict[str, int | None]:
    """The person of each of a video's tracks; None where there are fewer persons than tracks."""
    sides = sides_of(names)
    presence = _presence(sightings)
    if list(sides.values()) == [None]:
        return {names[0]: max(presence, key=presence.__getitem__, default=None)}
    places = {person: _place(sightings, person) for person in _dominant_pair(sightings, presence)}
    ordered = sorted(places, key=places.__getitem__)
    if len(ordered) == 2:
        of_side = dict(zip(("left", "right"), ordered, strict=True))
    else:  # one person alone is on the side of the frame where they are
        of_side = {"left" if places[person] < 0.5 else "right": person for person in ordered}
    return {name: of_side.get(side) for name, side in sides.items()}


def sides_of(names: Sequence[str]) -> dict[str, str | None]:
    """`left`, `right`, or None for the only track of a video if it has no suffix."""
    found = [SUBJECT.search(name) for name in names]
    sides = {name: match.group()[1:] if match else None for name, match in zip(names, found, strict=True)}
    if len(sides) == 2 and None in sides.values():
        known = next((side for side in sides.values() if side), None)
        sides = {name: side or OTHER.get(known or "") for name, side in sides.items()}
    if not 1 <= len(sides) <= 2 or len(set(sides.values())) < len(names):
        raise ValueError(f"tracks of one video: found {', '.join(names) or 'none'}, expected one, or two of "
                         "which one ends in _left or _right")  # fmt: skip
    return sides


def _presence(sightings: Sequence[Sighting]) -> dict[int, float]:
    """How much of the video's pixels each person has: size times frequency."""
    presence: dict[int, float] = defaultdict(float)
    for sighting in sightings:
        for person, area in zip(sighting.ids.tolist(), areas(sighting.faces.boxes), strict=True):
            presence[person] += float(area)
    return presence


def _dominant_pair(sightings: Sequence[Sighting], presence: dict[int, float]) -> tuple[int, ...]:
    """The two most present, of those seen together if any are: one person may have got two numbers."""
    together = {pair for s in sightings for pair in itertools.combinations(sorted(s.ids.tolist()), 2)}
    if together:
        return max(together, key=lambda pair: (presence[pair[0]] + presence[pair[1]], pair))
    return tuple(sorted(presence, key=presence.__getitem__, reverse=True)[:2])


def _place(sightings: Sequence[Sighting], person: int) -> float:
    """The median of the face's middle, in parts of the frame's width."""
    middles = [
        s.faces.boxes[s.ids == person][0, ::2].mean() / s.width_px for s in sightings if person in s.ids
    ]
    return float(np.median(middles))
