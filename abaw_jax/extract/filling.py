"""One track of one stream on its way to disk: rows in order, gaps left masked, closed behind its last row."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from abaw_jax.extract.batches import Batcher
from abaw_jax.extract.sources import Fold
from abaw_jax.extract.streams import Stream
from abaw_jax.store.writer import TrackWriter


class Filling:
    """Takes inputs of rows; those of the grid that get none stay masked."""

    def __init__(self, stream: Stream, batcher: Batcher, track: str, rows: np.ndarray) -> None:
        self.stream, self._batcher = stream, batcher
        self._place = {int(row): place for place, row in enumerate(rows)}
        self._next = 0
        self.content = Fold()
        """Of the files that its rows were read from."""
        self.writer: TrackWriter = stream.writer(track, len(rows))

    def wants(self, row: int) -> bool:
        """Whether the grid has this row."""
        return row in self._place

    def put(self, row: int, x: np.ndarray) -> None:
        """The input of a row, later than every row before."""
        self._skip_to(self._place[row])
        self._batcher.put(x, self._append)
        self._next += 1

    def finish(self, made_from: Mapping[str, Any], **notes: Any) -> None:
        """No more rows: once everything is delivered, the track is committed."""
        self._skip_to(len(self._place))
        self._batcher.then(partial(self.writer.commit, made_from, **notes))

    def _append(self, vector: np.ndarray) -> None:
        self.writer.append(vector[None])

    def _skip_to(self, place: int) -> None:
        if gap := place - self._next:
            self._batcher.then(partial(self.writer.skip, gap))
            self._next = place
