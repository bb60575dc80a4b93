"""Where pieces of sound lie: stamps say when each was heard, and stamps jitter, jump and break."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32

HOLE_S = 0.015
"""Less than any codec's packet (20 ms and more), more than the rounding of any container (1 ms)."""
MAX_JUMP_S = 3600.0
"""Past an hour, in one jump or in all, it is the clock that is broken, not the sound that is silent."""


class Timeline:
    """Positions in samples since second 0. Sound that follows on without a hole is never cut or padded."""

    def __init__(self, rate_hz: int, start_s: float | None = None) -> None:
        self.holes = 0
        self.silent_s = 0.0
        self.wild_jump_s: float | None = None
        self._rate_hz = rate_hz
        self._start_s = start_s
        self._shift_s = 0.0
        self._end_s: float | None = None
        """Where the sound that was decoded so far ends."""
        self._target = 0
        self._at = 0
        """Where the next sample lies; below 0, and where something lies already, it is not heard."""
        self._laid = 0

    def starts(self, time_s: float | None, duration_s: float) -> bool:
        """Whether the next piece does not follow on the one before, but starts at a place of its own."""
        if self._end_s is None:
            return self._begin(time_s, duration_s)
        heard_s = self._end_s if time_s is None else time_s + self._shift_s
        jump_s = heard_s - self._end_s
        if abs(jump_s) > MAX_JUMP_S or self.silent_s + jump_s > MAX_JUMP_S:
            self.wild_jump_s = self.wild_jump_s or jump_s
            self._shift_s -= jump_s
            jump_s = 0.0
        is_apart = abs(jump_s) > HOLE_S
        if is_apart:
            self.holes += jump_s > 0
            self.silent_s += max(jump_s, 0.0)
            self._end_s += jump_s
            self._target = round(self._end_s * self._rate_hz)
        self._end_s += duration_s
        return is_apart

    def _begin(self, time_s: float | None, duration_s: float) -> bool:
        stamp_s = time_s or 0.0
        first_s = stamp_s if self._start_s is None else self._start_s
        if abs(first_s) > MAX_JUMP_S:
            self.wild_jump_s, first_s = first_s, 0.0
        self._shift_s = first_s - stamp_s
        self._end_s = first_s + duration_s
        self._target = round(first_s * self._rate_hz)
        return True

    def move(self) -> Iterator[Float32[np.ndarray, " s"]]:
        """Go to where the next piece starts; what lies between is silence, a second at a time."""
        self._at = self._target
        while self._laid < self._at:
            count = min(self._at - self._laid, self._rate_hz)
            self._laid += count
            yield np.zeros(count, np.float32)

    def lay(self, samples: Float32[np.ndarray, " s"]) -> Float32[np.ndarray, " heard"]:
        """The part of the next samples that is heard: none before second 0, none on top of other sound."""
        unheard = min(max(0, self._laid - self._at), len(samples))
        self._at += len(samples)
        self._laid = max(self._laid, self._at)
        return samples[unheard:]
