"""How an audio encoder takes a long sound: chunks, the clock of its vectors, and how far each one looks.

All in whole samples, so that no clock drifts. Chunks overlap, and of each only the middle is kept, where a
vector has heard both its past and its future. Past-only, one vector a chunk is kept, where the chunk ends.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int


@dataclasses.dataclass(frozen=True)
class Hearing:
    """The clock of one encoder, in samples of its own rate."""

    sample_rate_hz: int
    stride: int
    """Samples from one vector to the next."""
    first: int
    """The sample of a chunk at which its first vector is centred."""
    chunk: int
    """Samples that the network hears at a time."""
    vectors: int
    """Vectors of one chunk."""
    kept: int
    """Vectors kept of a chunk that has neighbours on both sides."""
    is_causal: bool = False
    """Past-only: one vector a chunk, where it ends; chunks are `stride` samples apart."""

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ValueError(f"hop of {self.stride} samples: expected at least 1")
        if not 0 < self.kept <= self.vectors:
            raise ValueError(
                f"hop of {self.kept} vectors, chunk of {self.vectors}: expected 0 < hop <= chunk"
            )

    @property
    def rate_hz(self) -> float:
        """Vectors a second."""
        return self.sample_rate_hz / self.stride

    @property
    def start_s(self) -> float:
        """When vector 0 of a whole sound is."""
        return (self.stride if self.is_causal else self.first) / self.sample_rate_hz

    @property
    def future_s(self) -> float:
        """How far past its own time the furthest-looking vector hears."""
        return 0.0 if self.is_causal else (self.chunk - self.first) / self.sample_rate_hz

    @property
    def past_s(self) -> float:
        """How far before its own time a vector may hear."""
        last = self.chunk if self.is_causal else self.first + (self.vectors - 1) * self.stride
        return last / self.sample_rate_hz


@dataclasses.dataclass(frozen=True)
class Chunks:
    """Which chunks to hear of one sound, and which vectors of each make the track's, in order."""

    starts: Int[np.ndarray, " c"]
    """First sample of each chunk; what lies outside the sound is silence."""
    keep: tuple[slice, ...]
    count: int
    """Vectors of the whole sound."""


def native_chunks(hearing: Hearing, samples: int) -> Chunks:
    """Cover a sound of `samples` on the encoder's own grid."""
    count = -(-samples // hearing.stride)
    if hearing.is_causal:
        ends = hearing.stride * np.arange(1, count + 1)
        return Chunks(ends - hearing.chunk, (slice(0, 1),) * count, count)
    if count <= 0:
        return Chunks(np.zeros(0, np.int64), (), 0)
    before = (hearing.vectors - hearing.kept) // 2
    chunks = 1 + max(0, -(-(count - hearing.vectors) // hearing.kept))
    edges = [0, *(before + hearing.kept * i for i in range(1, chunks)), count]
    keep = tuple(slice(edges[i] - hearing.kept * i, edges[i + 1] - hearing.kept * i) for i in range(chunks))
    return Chunks(hearing.kept * hearing.stride * np.arange(chunks), keep, count)


def row_chunks(hearing: Hearing, times_s: Float[np.ndarray, " t"]) -> Chunks:
    """One chunk a row, for encoders of one vector a chunk: around its time, or ending there if past-only."""
    if not hearing.is_causal and hearing.vectors != 1:
        raise ValueError(
            f"one chunk a row needs one vector a chunk; this encoder has {hearing.vectors}: "
            "ask for its native grid"
        )
    at = np.round(np.asarray(times_s) * hearing.sample_rate_hz).astype(np.int64)
    before = hearing.chunk if hearing.is_causal else hearing.first
    return Chunks(at - before, (slice(0, 1),) * len(at), len(at))


def cut(sound: Float[np.ndarray, " s"], start: int, length: int) -> Float[np.ndarray, " {length}"]:
    """`length` samples from `start`, silence outside the sound."""
    chunk = np.zeros(length, np.float32)
    first, last = max(start, 0), min(start + length, len(sound))
    if first < last:
        chunk[first - start : last - start] = sound[first:last]
    return chunk
