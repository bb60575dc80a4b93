"""Sound meets the row clock: the mean of the native vectors around each row's time, as they come."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from abaw_jax.store.spec import Grid

Emit = Callable[[np.ndarray | None], None]
"""Takes a row's vector, or None for a row that hears nothing."""


class RowMeans:
    """Vectors of a native grid in, a vector a row out, holding no more than a window of them.

    A row gets the mean over time ± window/2 (past-only: the window before it); where that holds no vector,
    the nearest one (past-only: the newest before it) if it is no further than one step of the grid. A row
    past the end of the sound gets none.
    """

    def __init__(
        self, times_s: Float[np.ndarray, " t"], grid: Grid, window_s: float, is_causal: bool, emit: Emit
    ) -> None:
        self._first = times_s - (window_s if is_causal else window_s / 2)
        self._last = times_s if is_causal else times_s + window_s / 2
        self._times, self._grid, self._is_causal, self._emit = times_s, grid, is_causal, emit
        self._step_s = 1 / grid.rate_hz
        self._held: np.ndarray | None = None
        self._held_from = 0
        self._next = 0

    def push(self, vectors: Float[np.ndarray, "k *d"]) -> None:
        """The next vectors of the sound; emits every row that needs no later ones."""
        self._held = vectors if self._held is None else np.concatenate([self._held, vectors])
        newest = self._grid.start_s + self._step_s * (self._held_from + len(self._held) - 1)
        # one vector past the window settles which is nearest
        ready = np.searchsorted(self._last + self._step_s, newest, side="left")
        self._emit_until(int(ready))
        self._forget()

    def finish(self) -> None:
        """No more sound: emit the rows that are left."""
        self._emit_until(len(self._times))

    def _emit_until(self, row: int) -> None:
        for k in range(self._next, row):
            self._emit(self._vector(k))
        self._next = max(self._next, row)

    def _vector(self, k: int) -> np.ndarray | None:
        count = 0 if self._held is None else len(self._held)
        place = self._grid.start_s + self._step_s * (self._held_from + np.arange(count))
        first = np.searchsorted(place, self._first[k] - TINY_S, side="left")
        last = np.searchsorted(place, self._last[k] + TINY_S, side="right")
        if first < last:
            return self._held[first:last].mean(axis=0, dtype=np.float64)
        return self._nearest(place, k)

    def _nearest(self, place: np.ndarray, k: int) -> np.ndarray | None:
        time_s = self._times[k]
        able = place[place <= time_s + TINY_S] if self._is_causal else place
        if not len(able):
            return None
        at = int(np.abs(able - time_s).argmin())
        return self._held[at] if abs(able[at] - time_s) <= self._step_s + TINY_S else None

    def _forget(self) -> None:
        """Drop what no later row can ask for."""
        if self._next >= len(self._times):
            keep_from_s = np.inf
        else:
            keep_from_s = min(self._first[self._next], self._times[self._next]) - 2 * self._step_s
        before = int(
            np.clip((keep_from_s - self._grid.start_s) / self._step_s - self._held_from, 0, len(self._held))
        )
        self._held, self._held_from = self._held[before:], self._held_from + before


TINY_S = 1e-9
"""A time on the edge of a window is inside, whatever the last bit says."""
