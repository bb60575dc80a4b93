"""The TFDS builders: a corpus and its features as ArrayRecord files, without TensorFlow.

`affwild2_tracks` has a small record for each track, `affwild2_segments` a record for every so many rows of
one, with all that belongs to them. Numbers are raw bytes: that is fastest to write, and bfloat16 has no other
way. `abaw_jax.inputs.packaged` reads both.
"""

import abc
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from abaw_jax.corpus.tracks import Corpus, Track
from abaw_jax.inputs.packaged import NO_RATE, PARTS, Contents, label_field, segment_bounds
from abaw_jax.inputs.source import Labels
from abaw_jax.labels import WIDTHS
from abaw_jax.store.features import Features
from abaw_jax.store.spec import DTYPES
from abaw_jax.types import mask_key

LABEL_TYPES = {"va": np.float64, "expr": np.int8, "au": np.int8}


def tensor(shape: tuple[int | None, ...], dtype: Any) -> tfds.features.Tensor:
    """Raw bytes."""
    return tfds.features.Tensor(shape=shape, dtype=dtype, encoding="bytes")


class RecordBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """What both have: where the numbers come from, and records in their order."""

    VERSION = tfds.core.Version("1.0.0")
    SPLIT: str

    def __init__(self, *, contents: Contents, corpus: Corpus, features: Mapping[str, Features], **rest: Any):
        self._contents, self._corpus, self._features = contents, corpus, features
        super().__init__(file_format="array_record", **rest)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict(self._fields() | self._label_fields()),
            metadata=tfds.core.MetadataDict(self._contents.as_dict()),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        return {self.SPLIT: self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        return enumerate(self._records())

    @abc.abstractmethod
    def _fields(self) -> dict[str, Any]:
        """Beside the labels."""

    @abc.abstractmethod
    def _records(self) -> Iterator[dict[str, Any]]:
        """One after another."""

    def _label_fields(self) -> dict[str, Any]:
        fields = {"has_image": tensor((None,), np.bool_)}
        for challenge, edition in self._contents.labels:
            name = label_field(challenge, edition)
            fields[f"has_{name}"] = tfds.features.Scalar(np.bool_)
            for task in PARTS[challenge]:
                shape = (None,) if task == "expr" else (None, WIDTHS[task])
                fields[f"{name}_{task}"] = tensor(shape, LABEL_TYPES[task])
                fields[f"{name}_{mask_key(task)}"] = tensor(shape if task == "au" else (None,), np.bool_)
        return fields

    def _labels(self, track: Track, rows: slice) -> dict[str, Any]:
        """Of some rows; where a track has no labels of a kind, none of them is valid."""
        found: dict[str, Any] = {"has_image": track.has_image()[rows]}
        for challenge, edition in self._contents.labels:
            name, labels = label_field(challenge, edition), track.labels.get((challenge, edition))
            found[f"has_{name}"] = labels is not None
            for task in PARTS[challenge]:
                values = labels or Labels.empty(task, track.rows)
                found[f"{name}_{task}"] = values[task][rows].astype(LABEL_TYPES[task])
                found[f"{name}_{mask_key(task)}"] = values[mask_key(task)][rows]
        return found


class Affwild2Tracks(RecordBuilder):
    """A record for each track: its name, rows, clock, labels, masks, and which vectors are real."""

    SPLIT = "tracks"

    def _fields(self) -> dict[str, Any]:
        numbers = {"rows": np.int64, "first_segment": np.int64, "frames": np.int64}
        numbers |= {"fps": np.float64, "duration_s": np.float64}
        fields: dict[str, Any] = {name: tfds.features.Scalar(dtype) for name, dtype in numbers.items()}
        fields |= {f"present_{name}": tensor((None,), np.bool_) for name in self._features}
        return fields | {"track": tfds.features.Text(), "times_s": tensor((None,), np.float64)}

    def _records(self) -> Iterator[dict[str, Any]]:
        first_segment = 0
        for track in self._corpus.tracks.values():
            facts = track.facts
            times_s = facts.times_s if facts and facts.times_s is not None else np.zeros(0)
            record = {
                "track": track.name, "rows": track.rows, "first_segment": first_segment,
                "fps": facts.fps if facts else NO_RATE, "frames": facts.frames if facts else 0,
                "duration_s": facts.duration_s if facts else 0.0, "times_s": times_s,
            }  # fmt: skip
            for name, found in self._features.items():
                record[f"present_{name}"] = found.read(track.name).present
            yield record | self._labels(track, slice(None))
            first_segment += len(segment_bounds(track.rows, track.rows, self._contents.segment_rows)) - 1


class Affwild2Segments(RecordBuilder):
    """A record for every so many rows of a track: vectors of each stream, labels and masks."""

    SPLIT = "segments"

    def _fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"track": tfds.features.Text()}
        fields |= {name: tfds.features.Scalar(np.int64) for name in ("segment", "first_row")}
        for name, found in self._features.items():
            fields[name] = tensor((None, *found.spec.shape), DTYPES[found.spec.dtype])
            fields[f"present_{name}"] = tensor((None,), np.bool_)
        return fields

    def _records(self) -> Iterator[dict[str, Any]]:
        length = self._contents.segment_rows
        for track in self._corpus.tracks.values():
            read = {name: found.read(track.name) for name, found in self._features.items()}
            bounds = {n: segment_bounds(track.rows, len(f), length) for n, f in read.items()}
            for number in range(len(segment_bounds(track.rows, track.rows, length)) - 1):
                record = {"track": track.name, "segment": number, "first_row": number * length}
                for name, feature in read.items():
                    here = slice(*bounds[name][number : number + 2])
                    record[name] = np.asarray(feature.values[here])
                    record[f"present_{name}"] = feature.present[here]
                yield record | self._labels(track, slice(number * length, (number + 1) * length))
