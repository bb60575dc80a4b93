"""A container opened for reading, its packets up to where it breaks, and what went wrong on the way."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import av

from abaw_jax.problems import Problem, UnusableFile, shorten

OnProblem = Callable[[Problem], None]
"""Told what a reader could not give: `problems.append` will do."""

# Titles in another encoding than UTF-8 are common and no reason to refuse a video; PyAV 19 asks no more.
LENIENT = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
GUESSED_DURATIONS = {"mp3", "aac", "ac3"}
"""Formats without a header: FFmpeg guesses their duration from the first bit rate."""
SHORT_S = 0.5
"""Headers round durations, and streams end apart: less than this is no broken tail."""


def open_container(path: Path, expected: str) -> av.container.InputContainer:
    """The container at `path`, to be used in a `with`; UnusableFile where there is none."""
    try:
        if not path.stat().st_size:
            raise UnusableFile(Problem(str(path), None, "empty file", "0 bytes", expected))
        return av.open(str(path), **LENIENT)
    except (av.FFmpegError, OSError, UnicodeError) as error:
        raise UnusableFile(
            Problem(str(path), None, "unreadable", shorten(_reason(error)), expected)
        ) from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


@dataclasses.dataclass
class Reading:
    """One stream of one container, read from its first packet to its last; counts what it could not give."""

    container: av.container.InputContainer
    stream: av.stream.Stream
    end_s: float = 0.0
    """How far the packets of any stream reach."""
    packets: int = 0
    failed: int = 0
    first_failed_s: float | None = None
    cut: int = 0
    broken: str | None = None

    def demux(self) -> Iterator[av.Packet | None]:
        """Packets that hold something, then None to drain the decoder, even if the container breaks off."""
        try:
            for packet in self.container.demux():
                if packet.size and packet.pts is not None:
                    end = packet.pts + (packet.duration or 0)
                    self.end_s = max(self.end_s, float(end * packet.time_base))
                # an empty packet would end the decoder, and some containers have them in the middle
                if packet.size and packet.stream_index == self.stream.index:
                    self.packets += 1
                    self.cut += packet.is_corrupt
                    yield packet
        except av.FFmpegError as error:
            self.broken = _reason(error)
        yield None

    def decode(self, packet: av.Packet | None) -> list:
        """Frames that the decoder lets out; none, and a count, where it refuses the packet."""
        try:
            return self.stream.decode(packet)
        except av.FFmpegError:
            self.failed += 1
            if self.first_failed_s is None and packet is not None and packet.pts is not None:
                self.first_failed_s = float(packet.pts * packet.time_base)
            return []

    def problems(self) -> Iterator[Problem]:
        """What to tell of the whole reading, once it is over."""
        path = str(self.container.name)
        if self.failed:
            about = (
                f", the first about {self.first_failed_s:.2f} s" if self.first_failed_s is not None else ""
            )
            found = f"{self.failed} of {self.packets} packets undecodable{about}"
            yield Problem(path, None, f"damaged {self.stream.type}", found, "every packet to decode")
        if tail := self._tail():
            yield Problem(path, None, "broken tail", *tail)

    def _tail(self) -> tuple[str, str] | None:
        """(found, expected) where the file ends before what its header promises."""
        until = f"the end at {self.end_s:.2f} s"
        if self.broken or self.cut:
            return f"{until} ({self.broken or 'a packet cut short'})", "a whole file"
        # frames by the header are no measure: edit lists hide some, and AVI counts the dropped ones
        duration_s = (self.container.duration or 0) / av.time_base
        # counted from 0 or from the first packet, as the format will: the shorter reading is no false alarm
        is_declared = self.container.format.name not in GUESSED_DURATIONS
        if is_declared and self.end_s < duration_s - SHORT_S:
            return until, f"{duration_s:.2f} s announced"
        return None
