"""Which frame of a video a decoder has let out: its row and its time, though others were lost before it.

Rows are counted in packets, not in frames: a track's row k is the k-th presentation time that the container
holds, so a frame that cannot be decoded leaves its own row empty and moves nobody else's.
"""

import bisect

import numpy as np
from jaxtyping import Float, Int

KEPT = 1024
"""Presentation times remembered behind the newest frame; decoders hold back some dozens at most."""


class Clock:
    """Presentation times in the order of packets in, rows in the order of frames out."""

    def __init__(self, tick_s: float, fps: float) -> None:
        self.last = -1
        """The row of the newest frame."""
        self.packets = 0
        self.has_disorder = False
        """Whether packets came in another order than they are shown: then their stamps mean presentation."""
        self._seconds = tick_s
        self._period_s = 1 / fps if fps else 0.0
        self._ticks: list[int] = []
        self._dropped = 0
        self._is_stamped = True

    def demuxed(self, tick: int | None) -> None:
        """A packet with a picture has been read; None where the container has no stamp for it."""
        self.packets += 1
        if tick is None or not self._is_stamped:
            self._is_stamped = False
            return
        self.has_disorder |= bool(self._ticks) and tick < self._ticks[-1]
        bisect.insort(self._ticks, tick)

    def shown(self, tick: int | None) -> tuple[int, float] | None:
        """(row, seconds) of the next frame, by its stamp or, without one, by counting.

        None for a frame whose row is taken already.
        """
        row = self.last + 1
        if tick is not None and self._is_stamped and self._ticks:
            row = self._row_of(tick)
        if row <= self.last:
            return None
        self.last = row
        self._forget()
        return row, self._time_s(row)

    def lost(self) -> None:
        """A frame that will not come, where frames are counted: the next has the row after it."""
        self.last += 1

    @property
    def pending(self) -> int:
        """Packets read after the one of the newest frame, in the order of presentation."""
        return self.packets - 1 - self.last

    def _row_of(self, tick: int) -> int:
        after = self.last + 1 - self._dropped
        if after < len(self._ticks) and self._ticks[after] == tick:
            return self.last + 1  # also where two frames share a stamp
        at = bisect.bisect_left(self._ticks, tick)
        is_past = at == len(self._ticks)
        if is_past or (at > 0 and tick - self._ticks[at - 1] < self._ticks[at] - tick):
            at -= 1
        return self._dropped + at

    def _time_s(self, row: int) -> float:
        if not self._is_stamped or not self._ticks:
            return (row + 0.5) * self._period_s  # as rows of a track without presentation times
        newest = self._dropped + len(self._ticks) - 1
        beyond = max(0, row - newest)
        return self._ticks[row - beyond - self._dropped] * self._seconds + beyond * self._period_s

    def _forget(self) -> None:
        if len(self._ticks) > 2 * KEPT and self.last - self._dropped > KEPT:
            del self._ticks[:KEPT]
            self._dropped += KEPT


def rows_at(times_s: Float[np.ndarray, " f"], at_s: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The row, counted from 0, that is shown nearest to each of the asked times; `times_s` is sorted."""
    middles = (times_s[1:] + times_s[:-1]) / 2
    return np.searchsorted(middles, at_s, side="right")
