"""Which face of a frame is whose: the same number for the same person, through crossings, gaps and cuts.

Within a shot a face is where it was heading: each person moves on at constant velocity, and detections go to
persons so that the sum of what they miss by is smallest. What motion does not claim (after a cut, after a
gap longer than `max_gap_s`, after a leap) goes to a person of the same look, if one is alike enough, and else
to somebody new. A cut ends all motion: a face in the same place is then no argument for the same person.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from abaw_jax.faces.looks import Album, Look


@dataclasses.dataclass(frozen=True)
class Tracking:
    """Distances are in widths of the face. All are defaults, tried on synthetic paths."""

    max_gap_s: float = 1.0
    """How long a face may be out of sight and still be expected where it was heading."""
    reach: float = 0.6
    """How far from there it may turn up,"""
    reach_per_s: float = 1.5
    """and how much further for every second since it was seen."""
    growth: float = 1.6
    """How many times larger or smaller it may be than before."""
    likeness: float = 0.88
    """The correlation of looks above which two faces are one person: 99 % of synthetic pairs of strangers,
    and all of the few real ones tried, lie below."""
    remembered: int = 64
    """Persons kept in mind. Then the one longest unseen is forgotten: memory does not grow with a video."""


@dataclasses.dataclass
class Person:
    """Somebody seen before: where, how fast, when, and what they look like."""

    id: int
    place: complex
    size: float
    time_s: float
    album: Album = dataclasses.field(default_factory=Album)
    velocity: complex = 0
    is_moving: bool = True
    """Seen in this shot, so motion says something."""

    POSITION_GAIN, VELOCITY_GAIN, SIZE_GAIN = 0.7, 0.35, 0.5

    def expected(self, time_s: float) -> complex:
        """Where the face should be by now."""
        return self.place + self.velocity * (time_s - self.time_s)

    def see(self, place: complex, size: float, time_s: float, look: Look | None) -> None:
        """Correct place and velocity by what was missed by: an alpha-beta filter."""
        elapsed_s = time_s - self.time_s
        if self.is_moving and elapsed_s > 0:
            missed = place - self.expected(time_s)
            self.place = self.expected(time_s) + self.POSITION_GAIN * missed
            self.velocity += self.VELOCITY_GAIN * missed / elapsed_s
            self.size += self.SIZE_GAIN * (size - self.size)
        else:
            self.place, self.size, self.velocity = place, size, 0
        self.album.add(look)
        self.time_s, self.is_moving = time_s, True


class Tracker:
    """Gives every face of a stream of frames the number of its person."""

    def __init__(self, settings: Tracking | None = None) -> None:
        self.settings = settings or Tracking()
        self._persons: list[Person] = []
        self._next_id = 0

    def update(
        self,
        time_s: float,
        boxes: Float[np.ndarray, "n 4"],
        looks: Sequence[Look] | None = None,
        is_cut: bool = False,
    ) -> Int[np.ndarray, " n"]:
        """The ids of the faces of the next frame. Without looks only motion tells persons apart."""
        seen = [
            (complex(*(box[:2] + box[2:]) / 2), max(math.sqrt(np.prod(box[2:] - box[:2])), 1.0))
            for box in np.maximum(boxes, np.tile(boxes[:, :2], 2))
        ]
        looks = list(looks) if looks is not None else [None] * len(seen)
        for person in self._persons:
            gone = time_s - person.time_s > self.settings.max_gap_s
            person.is_moving = person.is_moving and not is_cut and not gone
        owners = self._by_motion(time_s, seen, looks)
        owners |= self._by_look(looks, owners)
        return np.array([self._see(owners.get(k), *seen[k], time_s, looks[k]) for k in range(len(seen))], int)

    def _by_motion(self, time_s: float, seen: list, looks: list) -> dict[int, Person]:
        persons = [person for person in self._persons if person.is_moving]
        costs = [
            [self._missed(person, time_s, *face, look) for person in persons]
            for face, look in zip(seen, looks, strict=True)
        ]
        return {face: persons[owner] for face, owner in _assign(costs)}

    def _missed(self, person: Person, time_s: float, place: complex, size: float, look: Look | None) -> float:
        """How badly a face fits a person, below 1.5 if it may be theirs at all."""
        allowed = self.settings.reach + self.settings.reach_per_s * (time_s - person.time_s)
        distance = abs(place - person.expected(time_s)) / math.sqrt(size * person.size) / allowed
        growth = abs(math.log(size / person.size)) / math.log(self.settings.growth)
        if distance > 1 or growth > 1:
            return math.inf
        return distance + 0.25 * growth + 0.25 * (1 - person.album.likeness(look))

    def _by_look(self, looks: list, taken: dict[int, Person]) -> dict[int, Person]:
        faces = [k for k, look in enumerate(looks) if look is not None and k not in taken]
        claimed = {person.id for person in taken.values()}
        persons = [person for person in self._persons if person.id not in claimed]
        costs = [[self._unlike(person, looks[k]) for person in persons] for k in faces]
        return {faces[face]: persons[owner] for face, owner in _assign(costs)}

    def _unlike(self, person: Person, look: Look) -> float:
        likeness = person.album.likeness(look)
        return 1 - likeness if likeness >= self.settings.likeness else math.inf

    def _see(
        self, person: Person | None, place: complex, size: float, time_s: float, look: Look | None
    ) -> int:
        if person is None:
            person = Person(self._next_id, place, size, time_s)
            self._next_id += 1
            self._persons.append(person)
            if len(self._persons) > self.settings.remembered:
                self._persons.remove(min(self._persons, key=lambda p: p.time_s))
        person.see(place, size, time_s, look)
        return person.id


def _assign(costs: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pairs (row, column) of the smallest sum. What costs infinitely is never paired."""
    if not costs or not costs[0]:
        return []
    finite = np.minimum(costs, 1e3)  # more than all others together, so most faces find an owner
    pairs = zip(*(axis.tolist() for axis in linear_sum_assignment(finite)), strict=True)
    return [(row, column) for row, column in pairs if math.isfinite(costs[row][column])]
