"""A corpus and its features in one folder or bucket, as `data/build.py` packages them: read through TFDS.

Two data sets: a small record for each track with its labels and clock, read whole at the beginning; and
segments, a fixed number of rows each with everything that belongs to them, read when a window wants them.
"""

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from abaw_jax.corpus.containers import VideoFacts
from abaw_jax.corpus.tracks import IMAGE_KINDS, Corpus, SplitKey, Track
from abaw_jax.inputs.source import Kind, LabelChoice, RowSource
from abaw_jax.labels import PARTS
from abaw_jax.store.spec import FeatureSpec
from abaw_jax.types import mask_key

TRACKS, SEGMENTS = "affwild2_tracks", "affwild2_segments"
SEGMENTS_IN_MEMORY = 256
NO_RATE = -1.0


def segment_bounds(rows: int, vectors: int, segment_rows: int) -> np.ndarray:
    """Where the vectors of each segment of a track begin, and where the last one ends."""
    segments = max(1, -(-rows // segment_rows))
    first_rows = np.minimum(np.arange(segments + 1) * segment_rows, rows)
    return np.round(first_rows * (vectors / max(rows, 1))).astype(np.int64)


def label_field(challenge: str, edition: int | None) -> str:
    """How the fields of these labels begin: `mtl_10` of `mtl_10_va`, `mtl_10_va_mask` and more."""
    return challenge if edition is None else f"{challenge}_{edition}"


@dataclasses.dataclass(frozen=True)
class Spoken:
    """What a text tower makes of the prompts of a name."""

    prompts: str
    encoder: str
    vectors: Sequence[Sequence[float]]


@dataclasses.dataclass(frozen=True)
class Contents:
    """What `metadata.json` holds beside the records."""

    specs: Mapping[str, FeatureSpec]
    labels: Sequence[tuple[str, int | None]]
    """(task, edition) of every kind of labels."""
    splits: Mapping[SplitKey, tuple[str, ...]]
    segment_rows: int
    words: Spoken | None = None

    @classmethod
    def of(
        cls,
        specs: Mapping[str, FeatureSpec],
        corpus: Corpus,
        segment_rows: int,
        words: Spoken | None = None,
    ) -> "Contents":
        """Of a corpus and its features."""
        labels = sorted({key for track in corpus.tracks.values() for key in track.labels}, key=str)
        return cls(specs, labels, corpus.splits, segment_rows, words)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "streams": {name: spec.as_dict() for name, spec in self.specs.items()},
            "labels": [list(key) for key in self.labels],
            "splits": [[*key, list(names)] for key, names in self.splits.items()],
            "segment_rows": self.segment_rows,
            "words": dataclasses.asdict(self.words) if self.words else None,
        }

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> "Contents":
        """The inverse of `as_dict`."""
        specs = {name: FeatureSpec.from_dict(spec) for name, spec in entries["streams"].items()}
        labels = [(task, edition) for task, edition in entries["labels"]]
        splits = {(task, edition, split): tuple(names) for task, edition, split, names in entries["splits"]}
        words = Spoken(**entries["words"]) if entries.get("words") else None
        return cls(specs, labels, splits, entries["segment_rows"], words)


class Packaged:
    """The folder, opened."""

    def __init__(self, folder: str | os.PathLike) -> None:
        tracks_builder, self._segments = (_open(folder, name) for name in (TRACKS, SEGMENTS))
        self._contents = Contents.from_dict(tracks_builder.info.metadata)
        self.specs = self._contents.specs
        records = list(tracks_builder.as_data_source(split="tracks"))
        tracks = [self._track(record) for record in records]
        self._records = dict(zip((track.name for track in tracks), records, strict=True))
        splits = dict(self._contents.splits)
        self.corpus = Corpus(Path(folder), {t.name: t for t in tracks}, splits, {}, {}, {}, ())

    def source(self, tracks: Sequence[Track], choice: LabelChoice) -> "SegmentSource":
        """Windows of these tracks."""
        records = [self._records[track.name] for track in tracks]
        present = {name: [record[f"present_{name}"] for record in records] for name in self.specs}
        segments = self._segments.as_data_source(split="segments")
        pages = Pages(segments, [int(r["first_segment"]) for r in records], self._contents.segment_rows)
        return SegmentSource(tracks, self.specs, present, choice, pages)

    def words(self, prompts: str, encoder: str) -> np.ndarray:
        """Of the prompts that it was packaged with; others are refused."""
        there, folder = self._contents.words, self.corpus.root
        if there is None:
            raise ValueError(f"text.prompts: {folder} was packaged by a config without prompts")
        if (there.prompts, there.encoder) != (prompts, encoder):
            found = f"{there.prompts!r} of {there.encoder}"
            raise ValueError(f"text: {folder} was packaged with {found}, expected {prompts!r} of {encoder}")
        return np.array(there.vectors, np.float32)

    def _track(self, record: Mapping[str, Any]) -> Track:
        rows, fps = int(record["rows"]), float(record["fps"])
        times_s = record["times_s"] if len(record["times_s"]) else None
        facts = VideoFacts(fps, int(record["frames"]), float(record["duration_s"]), times_s=times_s)
        labels = {}
        for task, edition in self._contents.labels:
            field = label_field(task, edition)
            if record[f"has_{field}"]:
                keys = [key for part in PARTS[task] for key in (part, mask_key(part))]
                labels[task, edition] = {key: record[f"{field}_{key}"] for key in keys}
        images = {IMAGE_KINDS[0]: record["has_image"]}
        known = None if fps == NO_RATE else facts
        return Track(record["track"].decode(), rows, labels, images, {}, facts=known)


@dataclasses.dataclass(frozen=True, eq=False)
class Pages:
    """Where the segments of each track are."""

    segments: Sequence[Mapping[str, Any]]
    first: Sequence[int]
    """Of each track, the number of its first segment."""
    rows: int
    """Of a segment."""


class SegmentSource(RowSource):
    """Vectors from records of fixed length; the latest ones stay in memory."""

    def __init__(
        self,
        tracks: Sequence[Track],
        specs: Mapping[str, FeatureSpec],
        present: Mapping[str, Sequence[np.ndarray]],
        choice: LabelChoice,
        pages: Pages,
    ) -> None:
        super().__init__(tracks, {name: Kind.of(spec) for name, spec in specs.items()}, present, choice)
        self._pages = pages
        self._bounds = {
            name: [segment_bounds(t.rows, len(p), pages.rows) for t, p in zip(tracks, found, strict=True)]
            for name, found in present.items()
        }
        self._segment = functools.lru_cache(SEGMENTS_IN_MEMORY)(self._read_segment)

    def gather(self, name: str, track: int, index: np.ndarray, out: np.ndarray, is_contiguous: bool) -> None:
        """From every segment that has some of them."""
        bounds = self._bounds[name][track]
        which = np.searchsorted(bounds, index, side="right") - 1
        for number in np.unique(which).tolist():
            here = which == number
            out[here] = self._segment(track, number)[name][index[here] - bounds[number]]

    def _read_segment(self, track: int, number: int) -> Mapping[str, Any]:
        record = self._pages.segments[self._pages.first[track] + number]
        found, wanted = (
            (record["track"].decode(), int(record["segment"])),
            (self.timelines[track].name, number),
        )
        if found != wanted:
            raise ValueError(
                f"segments are out of order: found {found}, expected {wanted}; package them again"
            )
        return record


def _open(folder: str | os.PathLike, name: str) -> Any:
    """A builder of tensorflow-datasets, from its files alone."""
    import tensorflow_datasets as tfds
    from etils import epath

    versions = sorted((epath.Path(folder) / name).glob("*/dataset_info.json"))
    if not versions:
        raise FileNotFoundError(f"{folder}: found no {name}, expected a folder that data/build.py has made")
    return tfds.builder_from_directory(versions[-1].parent)
