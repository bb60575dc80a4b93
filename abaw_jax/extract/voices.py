"""The pass over sound: read once a video, cut into chunks, encode in batches, lay onto rows."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from abaw_jax.corpus.tracks import Corpus, Track
from abaw_jax.encoders.hearing import Chunks, cut, native_chunks, row_chunks
from abaw_jax.extract.batches import Batcher
from abaw_jax.extract.clock import RowMeans
from abaw_jax.extract.meter import Meter
from abaw_jax.extract.pixels import note_of
from abaw_jax.extract.sources import NOTHING, fold, made_from_file, sound_of, stamp_of
from abaw_jax.extract.streams import Stream
from abaw_jax.media.audio import read
from abaw_jax.media.threads import ordered_map
from abaw_jax.problems import Problem, UnusableFile
from abaw_jax.store.spec import Grid
from abaw_jax.store.writer import TrackWriter

OnProblem = Callable[[Problem], None]


def sound_made_from(corpus: Corpus, track: Track, stream: Stream, digest: bool = True) -> dict[str, Any]:
    """What a stream's features of a sound depend on: the file, and the rows' times if laid on rows."""
    found = sound_of(corpus, track)
    clock = {}
    if stream.align != "native":
        times = track.times_s
        clock = {"rows": track.rows, "times": "none" if times is None else fold([(0, times.tobytes().hex())])}
    if found is None or (stream.align != "native" and track.times_s is None):
        return NOTHING | clock
    path, place, start_s = found
    start = {} if start_s is None else {"start_s": start_s}
    if not digest:
        return {"kind": "sound", "file": place, **start, **clock, "stamp": stamp_of([path])}
    return made_from_file("sound", path, place, **start, **clock)


class Voice:
    """One track of one stream of sound, on its way to disk."""

    def __init__(self, track: Track, stream: Stream, chunks: Chunks, hears: np.ndarray | None) -> None:
        self.track, self.stream = track, stream
        vectors = chunks.count if stream.align == "native" else track.rows
        self.writer: TrackWriter = stream.writer(track.name, vectors)
        self._means = None
        if stream.align == "mean" and chunks.count:
            hearing = stream.encoder.hearing
            grid = _native_grid(stream)
            self._means = RowMeans(track.times_s, grid, stream.window_s, hearing.is_causal, self._emit)
        self._hears = hears
        """Of one chunk a row: whether there is any sound in it."""

    def take(self, vectors: np.ndarray) -> None:
        """The next vectors of the sound."""
        if self._means is not None:
            self._means.push(vectors)
        elif self._hears is not None:
            self._emit(vectors[0] if self._hears[self.writer.written] else None)
        else:
            self.writer.append(vectors)

    def close(self, made_from: dict[str, Any], problems: list[Problem]) -> None:
        """Everything has been delivered."""
        if self._means is not None:
            self._means.finish()
        self.writer.skip(self.writer.vectors - self.writer.written)
        self.writer.commit(made_from, skipped=[note_of(problem) for problem in problems])

    def _emit(self, vector: np.ndarray | None) -> None:
        self.writer.skip(1) if vector is None else self.writer.append(np.asarray(vector)[None])


@dataclasses.dataclass(frozen=True)
class Chunk:
    """A stretch of sound for one encoder, and which voices take which of its vectors."""

    batcher: Batcher
    sound: np.ndarray
    start: int
    keep: slice
    voices: list[Voice]

    @property
    def seconds(self) -> float:
        """Of sound that its kept vectors stand for."""
        return (self.keep.stop - self.keep.start) / self.batcher.encoder.hearing.rate_hz

    def prepared(self) -> np.ndarray:
        """Runs in a thread."""
        encoder = self.batcher.encoder
        return encoder.preprocess(cut(self.sound, self.start, encoder.hearing.chunk))

    def deliver(self, vectors: np.ndarray) -> None:
        for voice in self.voices:
            voice.take(vectors[self.keep])


Step = Chunk | Callable[[], None]


def voice_steps(
    corpus: Corpus,
    wanted: list[tuple[Track, list[Stream]]],
    batchers: dict[str, Batcher],
    on_problem: OnProblem,
) -> Iterator[Step]:
    """The sound of one video after another, each read once; both subjects of a video share it."""
    by_sound = itertools.groupby(wanted, key=lambda pair: (pair[0].video, sound_of(corpus, pair[0])))
    for (_, place), group in by_sound:
        pairs = list(group)
        streams = list({stream.name: stream for _, asked in pairs for stream in asked}.values())
        for stream in streams:
            tracks = [track for track, asked in pairs if stream in asked]
            sound, problems = _listen(place, stream)
            for problem in problems:
                on_problem(problem)
            yield from _stream_steps(corpus, tracks, stream, batchers[stream.name], sound, problems)


def _stream_steps(
    corpus: Corpus,
    tracks: list[Track],
    stream: Stream,
    batcher: Batcher,
    sound: np.ndarray,
    problems: list[Problem],
) -> Iterator[Step]:
    # tracks on the sound's own clock hear the same chunks; one chunk a row is each track's own affair
    groups = [[track] for track in tracks] if stream.align == "chunk" else [tracks]
    for group in groups:
        chunks, hears = _plan(group[0], stream, len(sound))
        voices = [Voice(track, stream, chunks, hears) for track in group]
        for start, keep in zip(chunks.starts.tolist(), chunks.keep, strict=True):
            yield Chunk(batcher, sound, start, keep, voices)
        for voice in voices:
            made_from = sound_made_from(corpus, voice.track, stream)
            yield partial(batcher.then, partial(voice.close, made_from, problems))


def _plan(track: Track, stream: Stream, samples: int) -> tuple[Chunks, np.ndarray | None]:
    """Chunks of a sound, and of one chunk a row which of them hear anything."""
    hearing = stream.encoder.hearing
    if stream.align == "native":
        return native_chunks(hearing, samples), None
    times_s = track.times_s
    if times_s is None or not samples:  # nothing to hear, or nobody knows when
        return Chunks(np.zeros(0, np.int64), (), 0), None
    if stream.align == "mean":
        return native_chunks(hearing, samples), None
    chunks = row_chunks(hearing, times_s)
    return chunks, (chunks.starts < samples) & (chunks.starts + hearing.chunk > 0)


def _listen(place: tuple | None, stream: Stream) -> tuple[np.ndarray, list[Problem]]:
    """The whole sound at the encoder's rate, 64 kB a second at 16 kHz; none at all where there is none."""
    problems: list[Problem] = []
    nothing = np.zeros(0, np.float32)
    if place is None:
        return nothing, problems
    path, _, start_s = place
    try:
        sound = read(path, problems.append, stream.encoder.hearing.sample_rate_hz, start_s)
    except UnusableFile as error:
        return nothing, [error.problem]
    if sound is None:
        problems.append(Problem(str(path), None, "no sound", "no audio stream", "one"))
        return nothing, problems
    return sound.samples, problems


def encode(steps: Iterator[Step], threads: int, ahead: int, meter: Meter) -> None:
    """Take steps in their order; seconds of sound are what counts."""

    def prepare(step: Step) -> np.ndarray | None:
        return step.prepared() if isinstance(step, Chunk) else None

    for step, x in ordered_map(prepare, steps, threads, ahead):
        if isinstance(step, Chunk):
            step.batcher.put(x, step.deliver)
            meter.add(step.seconds)
        else:
            step()


def _native_grid(stream: Stream) -> Grid:
    hearing = stream.encoder.hearing
    return Grid("native", rate_hz=hearing.rate_hz, start_s=hearing.start_s)
