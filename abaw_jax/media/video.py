"""Videos as a stream of upright frames with their real presentation times, whatever is broken in them."""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8

from abaw_jax.media.clock import Clock
from abaw_jax.media.container import OnProblem, Reading, open_container
from abaw_jax.media.orientation import display_matrix, upright
from abaw_jax.problems import Problem, UnusableFile

HELD_BACK = 64
"""Frames that a threaded decoder may hold at the end of a video: threads and reordering together."""


@dataclasses.dataclass(frozen=True)
class Frame:
    """One picture of a video. `index` counts from 0 in the order of presentation: it is row index + 1."""

    index: int
    time_s: float
    image: UInt8[np.ndarray, "h w 3"]
    is_damaged: bool = False
    """The decoder has made up a part of it."""


def frames(path: Path, on_problem: OnProblem) -> Iterator[Frame]:
    """Every frame that can be decoded, in order, one at a time; what cannot is told when they are through.

    Indices and times are those of the container, so frames after a lost one keep theirs. Raises UnusableFile
    where no container or no video stream can be found.
    """
    decoding = _Decoding(path, "AUTO")
    shown = decoding.frames()
    yield from map(decoding.picture, shown)
    if 0 < decoding.clock.pending <= HELD_BACK:
        # PyAV gives up all that a threaded decoder still holds if one of the last packets is broken
        again = _Decoding(path, "NONE")
        last, again.damaged = decoding.clock.last, decoding.damaged
        rest = itertools.dropwhile(lambda place: place[0] <= last, again.frames())
        yield from map(again.picture, rest)
        decoding = again
    for problem in decoding.problems():
        on_problem(problem)


class _Decoding:
    """One pass through the packets of a video."""

    def __init__(self, path: Path, thread_type: str) -> None:
        self.path = path
        self.thread_type = thread_type
        self.damaged = 0
        self.late = 0
        self._rotation: int | None = None
        self._matrix: tuple[int, int, int, int] | None = None

    def frames(self) -> Iterator[tuple[int, float, av.VideoFrame]]:
        """(row, seconds, frame as decoded)"""
        with open_container(self.path, "a video") as container:
            stream = _video_stream(container, self.path)
            stream.thread_type = self.thread_type
            self.reading = Reading(container, stream)
            self.clock = Clock(
                float(stream.time_base), float(stream.average_rate or stream.guessed_rate or 0)
            )
            for packet in self.reading.demux():
                if packet is not None and not packet.is_discard:
                    self.clock.demuxed(packet.pts if packet.pts is not None else packet.dts)
                failed = self.reading.failed
                for frame in self.reading.decode(packet):
                    place = self.clock.shown(None if self._counts() else frame.pts)
                    self.late += place is None
                    if place is not None:
                        yield *place, frame
                if self.reading.failed > failed and packet is not None and self._counts():
                    self.clock.lost()
            self.told = list(self.reading.problems())

    def _counts(self) -> bool:
        """AVI numbers packets as they are decoded: where frames are shown in another order, that is nothing.

        Then frames are counted. FFmpeg's parser repairs the stamps of some codecs, which shows as disorder.
        """
        reading = self.reading
        return (
            reading.container.format.name == "avi"
            and bool(reading.stream.codec_context.has_b_frames)
            and not self.clock.has_disorder
        )

    def picture(self, place: tuple[int, float, av.VideoFrame]) -> Frame:
        index, time_s, frame = place
        # PyAV ties a frame whose side data was read into a cycle: of every frame's, megabytes would pile up
        if frame.rotation != self._rotation:
            self._rotation, self._matrix = frame.rotation, display_matrix(frame)
        image = upright(frame.to_ndarray(format="rgb24"), self._matrix)
        self.damaged += frame.is_corrupt
        return Frame(index, time_s, image, bool(frame.is_corrupt))

    def problems(self) -> Iterator[Problem]:
        yield from self.told
        if self.damaged:
            found = f"{self.damaged} frames in part"
            yield Problem(str(self.path), None, "damaged video", found, "whole frames")
        if self.late:
            found = f"{self.late} frames for rows that have one"
            yield Problem(str(self.path), None, "damaged video", found, "one frame a row")


def _video_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    if not container.streams.video:
        raise UnusableFile(Problem(str(path), None, "no video stream", "none", "one"))
    return container.streams.video[0]
