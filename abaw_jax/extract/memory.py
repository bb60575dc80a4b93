"""Large arrays go back to the system as soon as they are freed, so that a job's memory stays where it is.

glibc keeps freed arrays of up to 32 MB for later once it has seen one freed. Frames, crops and the buffers of
networks come in all sizes, and what is kept fits badly: over a twenty-minute video, 700 MB that creep
up against 418 MB that do not move.
"""

import contextlib
import ctypes
from collections.abc import Iterator

M_MMAP_THRESHOLD = -3  # malloc.h
GIVEN_BACK_BYTES = 128 * 1024  # glibc's own start, before it adapts
KEPT_BYTES = 32 * 1024 * 1024  # where glibc's adapting ends on 64 bits


@contextlib.contextmanager
def large_arrays_given_back() -> Iterator[None]:
    """Within; behind, memory is kept for later again, which a training step of fixed shapes likes better."""
    _set_threshold(GIVEN_BACK_BYTES)
    try:
        yield
    finally:
        _set_threshold(KEPT_BYTES)


def _set_threshold(size: int) -> None:
    """Nothing happens where the C library is another."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, size)
