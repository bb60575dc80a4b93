"""The rows that a run learns from and is scored on: tracks, sources, plans, truth."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from ml_collections import ConfigDict

from abaw_jax.corpus.splits import warn_of_leaks
from abaw_jax.corpus.tracks import Corpus, Track
from abaw_jax.evaluation.truth import Truth
from abaw_jax.inputs.plan import WindowPlan, make_plan
from abaw_jax.inputs.source import Labels, StoreSource
from abaw_jax.inputs.windows import WindowSpec, contiguous
from abaw_jax.store.features import Features
from abaw_jax.types import mask_key


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """One split, ready to be read."""

    tracks: Sequence[Track]
    source: StoreSource
    plan: WindowPlan


def window_spec(config: ConfigDict) -> WindowSpec:
    """What the config says of windows."""
    w = config.window
    streams = tuple(config.streams)
    return contiguous(w.rows, streams, w.stride, w.eval_stride, edge=w.edge, overlap=w.overlap)


def open_part(
    corpus: Corpus, features: Mapping[str, Features], config: ConfigDict, parts: Sequence[str], split: str
) -> Part:
    """A split of the config's task with its plan, of training or of evaluation."""
    edition = corpus.edition(config.task, split) if config.corpus.edition is None else config.corpus.edition
    tracks = corpus.split(config.task, split, edition)
    source = StoreSource(tracks, features, parts)
    plan = make_plan(window_spec(config), source.timelines, source.grids, for_training=split == "train")
    return Part(tracks, source, plan)


def check_leaks(corpus: Corpus, config: ConfigDict) -> None:
    """Warn of videos that are learnt from and scored on."""
    keys = [(config.task, corpus.edition(config.task, split), split) for split in ("train", "validation")]
    warn_of_leaks(corpus, keys[:1], keys[1:])


def truth_of(tracks: Sequence[Track], parts: Sequence[str]) -> Truth:
    """Every label row of the tracks, in the precision of the files."""
    track = np.repeat(np.arange(len(tracks)), [t.rows for t in tracks])
    row = np.concatenate([np.arange(1, t.rows + 1) for t in tracks])
    columns: dict[str, np.ndarray] = {"has_image": np.concatenate([t.has_image() for t in tracks])}
    for part in parts:
        for key in (part, mask_key(part)):
            columns[key] = np.concatenate([_labels(t, part)[key] for t in tracks])
    return Truth.build([t.name for t in tracks], track, row, **columns)


def _labels(track: Track, part: str) -> Mapping[str, np.ndarray]:
    """As the files have them; all masked where a track has none."""
    return track.labels_for(part) or Labels.of(track, (part,), None).values
