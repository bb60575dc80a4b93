"""Fixed-size batches across the borders of tracks; their vectors come out in the order of the inputs."""

import collections
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from abaw_jax.encoders.encoder import Encoder
from abaw_jax.extract.device import IN_FLIGHT, Device

Deliver = Callable[[np.ndarray], None]


class Batcher:
    """Inputs of one encoder in, vectors out; no batch is padded but the last one.

    What is to happen between two inputs (`then`) happens between their deliveries, so a track can be closed
    as soon as its last input is put.
    """

    def __init__(self, encoder: Encoder, device: Device, batch_size: int) -> None:
        self.encoder = encoder
        self.size = -(-batch_size // device.count) * device.count
        self._run = device.runner(encoder)
        self._inputs: list[np.ndarray] = []
        self._futures: collections.deque[Future] = collections.deque()
        self._order: collections.deque[tuple[str, Callable]] = collections.deque()

    def put(self, x: np.ndarray, deliver: Deliver) -> None:
        """One input, and who gets its vectors."""
        self._order.append(("input", deliver))
        self._inputs.append(x)
        if len(self._inputs) == self.size:
            self._send()

    def then(self, act: Callable[[], None]) -> None:
        """Something to be done once everything put so far is delivered."""
        self._order.append(("act", act))
        self._act()

    def flush(self) -> None:
        """Send what waits, padded with zeros, and deliver everything."""
        if self._inputs:
            self._send()
        while self._futures:
            self._deliver(self._futures.popleft().result())

    def _send(self) -> None:
        batch = np.zeros((self.size, *self.encoder.input_shape), self.encoder.input_dtype)
        for place, x in enumerate(self._inputs):
            batch[place] = x
        self._inputs.clear()
        self._futures.append(self._run(batch))
        if len(self._futures) > IN_FLIGHT:
            self._deliver(self._futures.popleft().result())

    def _deliver(self, vectors: np.ndarray) -> None:
        for vector in vectors:
            self._act()
            if not self._order:
                break  # padding of the last batch
            _, deliver = self._order.popleft()
            deliver(vector)
        self._act()

    def _act(self) -> None:
        while self._order and self._order[0][0] == "act":
            self._order.popleft()[1]()
