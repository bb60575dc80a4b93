"""How far a pass is, how fast, and whether the device had work: told a few times a second, not every row."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from abaw_jax.extract.device import Device
from abaw_jax.progress import OnProgress

EVERY_S = 0.2
Item = TypeVar("Item")


class Meter:
    """Counts units of one pass."""

    def __init__(self, stage: str, unit: str, total: int, device: Device, on_progress: OnProgress) -> None:
        self.done = 0.0
        self._stage, self._unit, self._total = stage, unit, total
        self._device, self._on_progress = device, on_progress
        self._began = time.monotonic()
        self._told = 0.0
        self._tell()

    def add(self, count: float = 1) -> None:
        """So many more are done."""
        self.done += count
        if time.monotonic() - self._told > EVERY_S or self.done == self._total:
            self._tell()

    def watch(self, items: Iterable[Item]) -> Iterator[Item]:
        """Each of them, counted."""
        for item in items:
            yield item
            self.add()

    def _tell(self) -> None:
        self._told = time.monotonic()
        rate = self.done / max(1e-9, self._told - self._began)
        note = f"{rate:,.0f} {self._unit}/s, device busy {self._device.busy_share:.0%}"
        self._on_progress(self._stage, round(self.done), self._total, note)
