"""Sound of any container, mono, on the container's clock: sample n is heard at n / rate seconds of it.

So a row of a track finds its sound by its own time: streams that start late, before zero, or with holes
have silence where nothing is heard, and what follows a hole stays in its place.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float32

from abaw_jax.media.container import OnProblem, Reading, open_container
from abaw_jax.media.timeline import MAX_JUMP_S, Timeline
from abaw_jax.problems import Problem

SAMPLE_RATE_HZ = 16_000
"""What every speech encoder here was trained on."""
BLOCK_S = 1.0
SWR_FORMAT = "s32"
"""FFmpeg's mono is the mean of two channels for integer formats alone; for floats it is 1.41 times louder."""


@dataclasses.dataclass(frozen=True)
class Sound:
    """Mono sound that starts at second 0 of its container."""

    samples: Float32[np.ndarray, " s"]
    rate_hz: int

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.rate_hz


def read(
    path: Path, on_problem: OnProblem, rate_hz: int = SAMPLE_RATE_HZ, start_s: float | None = None
) -> Sound | None:
    """All of `blocks` at once: 64 kB a second of sound."""
    pieces = blocks(path, on_problem, rate_hz, start_s)
    if pieces is None:
        return None
    return Sound(np.concatenate([np.zeros(0, np.float32), *pieces]), rate_hz)


def blocks(
    path: Path, on_problem: OnProblem, rate_hz: int = SAMPLE_RATE_HZ, start_s: float | None = None
) -> Iterator[Float32[np.ndarray, " s"]] | None:
    """The sound in blocks of a second (the last is shorter); None for a video without sound.

    A sound file cut from a video has lost the time at which its stream started: `start_s` gives it back.
    Raises UnusableFile where no container can be found.
    """
    container = open_container(path, "sound, or a video with sound")
    if not container.streams.audio:
        container.close()
        return None
    return _blocks(container, on_problem, rate_hz, start_s)


def _blocks(
    container: av.container.InputContainer, on_problem: OnProblem, rate_hz: int, start_s: float | None
) -> Iterator[Float32[np.ndarray, " s"]]:
    with container:
        reading = Reading(container, container.streams.audio[0])
        timeline = Timeline(rate_hz, start_s)
        yield from _even(_pieces(reading, timeline, rate_hz), round(BLOCK_S * rate_hz))
        for problem in (*reading.problems(), *_told(timeline, str(container.name))):
            on_problem(problem)


def _pieces(reading: Reading, timeline: Timeline, rate_hz: int) -> Iterator[Float32[np.ndarray, " s"]]:
    """Silence and sound in turns, of any length."""
    resampler, shape = None, None
    for packet in reading.demux():
        for frame in reading.decode(packet):
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            starts = timeline.starts(frame.time, frame.samples / frame.sample_rate)
            if starts or found != shape:
                yield from _resampled(resampler, None, timeline)
                resampler, shape = av.AudioResampler(SWR_FORMAT, "mono", rate_hz), found
            if starts:
                yield from timeline.move()
            yield from _resampled(resampler, frame, timeline)
    yield from _resampled(resampler, None, timeline)


def _resampled(
    resampler: av.AudioResampler | None, frame: av.AudioFrame | None, timeline: Timeline
) -> Iterator[Float32[np.ndarray, " s"]]:
    """What the resampler lets out for a frame, or for None at the end, laid on the timeline."""
    if resampler is None:
        return
    if frame is not None:
        frame.pts = None  # the timeline keeps the time
    for out in resampler.resample(frame):
        samples = out.to_ndarray()[0].astype(np.float64) / 2**31
        yield timeline.lay(samples.astype(np.float32))


def _even(pieces: Iterator[np.ndarray], size: int) -> Iterator[Float32[np.ndarray, " s"]]:
    """Pieces of any lengths as blocks of `size` samples."""
    waiting, held = [], 0
    for piece in pieces:
        waiting.append(piece)
        held += len(piece)
        if held >= size:
            whole = np.concatenate(waiting)
            stop = held - held % size
            yield from whole[:stop].reshape(-1, size).copy()
            waiting, held = [whole[stop:].copy()], held - stop
    if held:
        yield np.concatenate(waiting)


def _told(timeline: Timeline, path: str) -> Iterator[Problem]:
    if timeline.holes:
        found = f"{timeline.holes} holes, {timeline.silent_s:.2f} s in all, filled with silence"
        yield Problem(path, None, "holes in the sound", found, "one packet after the other", "note")
    if timeline.wild_jump_s is not None:
        found = f"a jump of {timeline.wild_jump_s:.0f} s, not followed"
        yield Problem(path, None, "broken clock", found, f"less than {MAX_JUMP_S:.0f} s")
