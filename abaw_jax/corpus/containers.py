"""What a video's container says of its clock: rate, frames, presentation times, duration, sound.

The rate must come from here: a third of Aff-Wild2's videos are neither 30 nor 29.97 frames a second,
and the number in the file name is often wrong.
"""

import csv
import dataclasses
import math
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float

from abaw_jax.problems import Problem, UnusableFile, shorten

# Titles in another encoding than UTF-8 are no reason to refuse a video; PyAV 19 asks no more.
LENIENT = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
FACTS_FILE = "video_facts.csv"
FACTS_COLUMNS = ("stem", "fps", "frames", "duration_s")


@dataclasses.dataclass(frozen=True)
class VideoFacts:
    """The clock of one video. `times_s` are the presentation times of its frames where they were indexed."""

    fps: float
    frames: int
    duration_s: float
    audio_start_s: float | None = None
    audio_duration_s: float | None = None
    times_s: Float[np.ndarray, " f"] | None = None


def probe(path: Path, index_times: bool = True) -> VideoFacts:
    """Read the container's header and, to index the times, its packets; nothing is decoded.

    Raises UnusableFile where no container or no video stream can be found.
    """
    try:
        with av.open(str(path), **LENIENT) as container:
            if not container.streams.video:
                raise UnusableFile(Problem(str(path), None, "no video stream", "none", "one"))
            stream = container.streams.video[0]
            times = _packet_times(container, stream) if index_times else None
            return _facts(container, stream, times)
    except (av.FFmpegError, OSError, UnicodeError) as error:
        raise UnusableFile(
            Problem(str(path), None, "unreadable video", shorten(str(error)), "a video")
        ) from error


def _packet_times(container, stream) -> np.ndarray | None:
    """Presentation times in seconds, sorted; None where the container has none (raw streams, some AVI)."""
    ticks = []
    try:
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                ticks.append(packet.pts if packet.pts is not None else packet.dts)
    except av.FFmpegError:
        pass  # a broken tail: what came before it stands, and rows minus frames will show it
    if not ticks or None in ticks:
        return None
    return np.sort(np.array(ticks, np.float64)) * float(stream.time_base)


def _facts(container, stream, times: np.ndarray | None) -> VideoFacts:
    fps = float(stream.average_rate or stream.guessed_rate or 0)
    if not fps and times is not None and len(times) > 1:
        fps = (len(times) - 1) / float(times[-1] - times[0])
    if not fps:
        raise UnusableFile(Problem(str(container.name), None, "no frame rate", "none", "frames a second"))
    duration = _seconds(stream) or (container.duration or 0) / av.time_base
    frames = len(times) if times is not None else stream.frames or round(duration * fps)
    audio = container.streams.audio[0] if container.streams.audio else None
    return VideoFacts(
        fps=fps,
        frames=frames,
        duration_s=duration or frames / fps,
        audio_start_s=float((audio.start_time or 0) * audio.time_base) if audio else None,
        audio_duration_s=_seconds(audio) if audio else None,
        times_s=times,
    )


def _seconds(stream) -> float | None:
    return float(stream.duration * stream.time_base) if stream.duration else None


def row_times(facts: VideoFacts | None, rows: int) -> Float[np.ndarray, " t"] | None:
    """When row k of a track is shown, in seconds of the container; None where no clock is known.

    The presentation time of frame k where it is indexed, else (k - 0.5) / fps. Rows past the last frame
    (the organisers' extraction often has one more) follow at the container's rate.
    """
    if facts is None:
        return None
    if facts.times_s is None or not len(facts.times_s):
        return (np.arange(1, rows + 1) - 0.5) / facts.fps
    beyond = max(0, rows - len(facts.times_s))
    tail = facts.times_s[-1] + np.arange(1, beyond + 1) / facts.fps
    return np.concatenate([facts.times_s[:rows], tail])


def read_facts(path: Path) -> dict[str, VideoFacts]:
    """A table of rates for corpora that come without their videos: stem, fps, frames, duration_s."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != FACTS_COLUMNS:
                found = shorten(str(reader.fieldnames))
                raise UnusableFile(Problem(str(path), 1, "unknown header", found, ",".join(FACTS_COLUMNS)))
            return {
                line["stem"]: _facts_of(line, number, path) for number, line in enumerate(reader, start=2)
            }
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnusableFile(
            Problem(str(path), None, "unreadable table", shorten(str(error)), "UTF-8 CSV")
        ) from error


def _facts_of(line: dict[str, str], number: int, path: Path) -> VideoFacts:
    try:
        facts = VideoFacts(float(line["fps"]), int(line["frames"]), float(line["duration_s"]))
    except (TypeError, ValueError) as error:
        found = shorten(str(error))
        raise UnusableFile(
            Problem(str(path), number, "not a number", found, "fps, frames, duration_s")
        ) from error
    if not (0 < facts.fps < math.inf and facts.frames >= 0 and 0 <= facts.duration_s < math.inf):
        found = f"{facts.fps:g} fps, {facts.frames} frames, {facts.duration_s:g} s"
        raise UnusableFile(
            Problem(str(path), number, "impossible clock", found, "fps > 0, frames and seconds >= 0")
        )
    return facts


def write_facts(path: Path, facts: dict[str, VideoFacts]) -> None:
    """The file that `read_facts` reads back."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FACTS_COLUMNS)
        for stem, fact in sorted(facts.items()):
            writer.writerow([stem, repr(fact.fps), fact.frames, repr(fact.duration_s)])
