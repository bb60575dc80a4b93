"""The pass over faces: the organisers' crops, or crops of our own cut from the videos."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from abaw_jax.corpus.tracks import Corpus, Track
from abaw_jax.extract.batches import Batcher
from abaw_jax.extract.meter import Meter
from abaw_jax.extract.pixels import Look, Subject, looks_of_crops, open_subject
from abaw_jax.extract.sources import NOTHING, crops_of, made_from_file, stamp_of
from abaw_jax.extract.streams import Stream
from abaw_jax.faces.crops import CropSettings, crops
from abaw_jax.faces.detection import Detector
from abaw_jax.media.video import frames
from abaw_jax.problems import Problem, UnusableFile

Step = Look | Callable[[], None]
OnProblem = Callable[[Problem], None]
Wanted = list[tuple[Track, list[Stream]]]
"""Tracks, each with the streams that lack it."""


def grid_rows(track: Track, stream: Stream) -> np.ndarray:
    """The rows of a track that a stream has vectors for."""
    return stream.spec.grid.rows(track.rows, track.fps)


def used_rows(track: Track, streams: list[Stream], rows: np.ndarray) -> list[int]:
    """Of `rows`, those that any of the streams looks at."""
    grids = [grid_rows(track, stream) for stream in streams]
    return np.intersect1d(rows, np.unique(np.concatenate(grids))).tolist() if grids else []


def crops_made_from(corpus: Corpus, track: Track, stream: Stream, kind: str | None) -> dict[str, Any]:
    """What one stream's features of a track's crops depend on, by the stamp alone: `content` is not read."""
    found = crops_of(corpus, track, kind)
    if found is None:
        return NOTHING | {"rows": track.rows}
    rows = used_rows(track, [stream], found.rows)
    clock = {"fps": track.fps} if stream.spec.grid.sample_hz else {}
    return {
        "kind": "crops", "folder": found.place, "images": len(rows), "rows": track.rows, **clock,
        "stamp": found.stamp(rows),
    }  # fmt: skip


def crop_steps(
    corpus: Corpus, wanted: Wanted, batchers: dict[str, Batcher], kind: str | None
) -> Iterator[Step]:
    """All rows of one track after another, each track closed behind its last row."""
    for track, streams in wanted:
        subject = open_subject(track, streams, batchers)
        yield from looks_of_crops(subject, crops_of(corpus, track, kind))
        yield partial(_finish_crops, corpus, subject, kind)


def _finish_crops(corpus: Corpus, subject: Subject, kind: str | None) -> None:
    for filling in subject.fillings:
        made_from = crops_made_from(corpus, subject.track, filling.stream, kind)
        if made_from["kind"] == "crops":
            made_from["content"] = filling.content.hexdigest()
        filling.finish(made_from, skipped=subject.row_notes())


def video_made_from(corpus: Corpus, track: Track, digest: bool = True) -> dict[str, Any]:
    """What features of our own crops depend on, detector apart, which is part of the stream's identity."""
    if track.video_path is None:
        return NOTHING | {"rows": track.rows}
    path = corpus.root / track.video_path
    if not digest:
        return {"kind": "video", "file": track.video_path, "rows": track.rows, "stamp": stamp_of([path])}
    return made_from_file("video", path, track.video_path, rows=track.rows)


def video_steps(
    corpus: Corpus,
    wanted: Wanted,
    batchers: dict[str, Batcher],
    detector: Detector,
    settings: CropSettings,
    searched: Meter,
    on_problem: OnProblem,
) -> Iterator[Step]:
    """The subjects of one video after another; its frames are searched first, then cut."""
    by_video = itertools.groupby(wanted, key=lambda pair: pair[0].video)
    for _, group in by_video:
        subjects = {track.name: open_subject(track, streams, batchers) for track, streams in group}
        everybody = _tracks_of(corpus, next(iter(subjects.values())).track)
        first = next(iter(subjects.values())).track
        if first.video_path:
            yield from _cut(
                corpus.root / first.video_path, everybody, subjects, detector, settings, searched, on_problem
            )
        for subject in subjects.values():
            made_from = video_made_from(corpus, subject.track)
            yield partial(_finish_all, subject, made_from)


def _tracks_of(corpus: Corpus, track: Track) -> list[str]:
    """All tracks of a video: who is left and who is right is decided among all of them."""
    return [name for name, other in corpus.tracks.items() if other.video == track.video]


def _cut(
    path: Path,
    names: list[str],
    subjects: Mapping[str, Subject],
    detector: Detector,
    settings: CropSettings,
    searched: Meter,
    on_problem: OnProblem,
) -> Iterator[Look]:
    told: list[Problem] = []
    passes = iter((searched.watch, iter))  # the first pass searches, the second cuts
    try:
        for index, faces in crops(lambda: next(passes)(frames(path, told.append)), names, detector, settings):
            for name, crop in faces.items():
                subject = subjects.get(name)
                if crop is not None and subject is not None and subject.wants(index + 1):
                    yield Look(subject, index + 1, crop=crop)
    except UnusableFile as error:
        told.append(error.problem)
    for problem in dict.fromkeys(told):  # two passes tell the same twice
        on_problem(problem)
        for subject in subjects.values():
            subject.skipped.append(problem)


def _finish_all(subject: Subject, made_from: dict[str, Any]) -> None:
    for filling in subject.fillings:
        filling.finish(made_from, skipped=subject.row_notes())
