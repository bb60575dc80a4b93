"""Batches on their way over the local devices, and how much of the time those have had work."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from abaw_jax.encoders.encoder import Encoder

IN_FLIGHT = 2
"""One batch computes while the next one travels."""

Run = Callable[[np.ndarray], "Future[np.ndarray]"]


class Device:
    """All devices of this process as one: weights on each, batches cut over them."""

    def __init__(self) -> None:
        mesh = Mesh(np.array(jax.local_devices()), ("data",))
        self._split = NamedSharding(mesh, PartitionSpec("data"))
        self._whole = NamedSharding(mesh, PartitionSpec())
        self._pool = ThreadPoolExecutor(IN_FLIGHT, "device")
        self._lock = threading.Lock()
        self._active = 0
        self._began = self._idle_from = time.monotonic()
        self._idle_s = 0.0

    @property
    def count(self) -> int:
        """Devices; a batch is a multiple of it."""
        return self._split.mesh.size

    @property
    def busy_share(self) -> float:
        """Of the time since the start, the part in which a batch was there to work on."""
        with self._lock:
            now = time.monotonic()
            idle = self._idle_s + (0.0 if self._active else now - self._idle_from)
            return 1.0 - idle / max(1e-9, now - self._began)

    def runner(self, encoder: Encoder) -> Run:
        """A function that sends a batch of `encoder` off and returns the future of its vectors."""
        variables = jax.device_put(encoder.variables, self._whole)
        apply = jax.jit(encoder.apply)

        def run(batch: np.ndarray) -> np.ndarray:
            with self._working():
                return np.asarray(apply(variables, jax.device_put(batch, self._split)))

        return lambda batch: self._pool.submit(run, batch)

    def close(self) -> None:
        """Let go of the threads; what was not begun is dropped."""
        self._pool.shutdown(cancel_futures=True)

    def _working(self) -> "_Working":
        return _Working(self)


class _Working:
    """Counts a batch as work from here to there; idle time runs while there is none."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def __enter__(self) -> None:
        d = self.device
        with d._lock:
            if not d._active:
                d._idle_s += time.monotonic() - d._idle_from
            d._active += 1

    def __exit__(self, *_: object) -> None:
        d = self.device
        with d._lock:
            d._active -= 1
            if not d._active:
                d._idle_from = time.monotonic()
