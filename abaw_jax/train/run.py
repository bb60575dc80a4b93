"""A run over the rows of tracks, as a config decides it: splits, task, scores. Built once, piece by piece."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import jax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from abaw_jax.evaluation.fill import fill, without_blind
from abaw_jax.evaluation.rows import Rows
from abaw_jax.evaluation.scores import Result, evaluate
from abaw_jax.evaluation.table import RowTable
from abaw_jax.inputs.loader import Loader, evaluation_batches
from abaw_jax.inputs.source import example
from abaw_jax.progress import OnProgress, silent
from abaw_jax.store.spec import FeatureSpec
from abaw_jax.tasks.frames import FrameTask, Stats
from abaw_jax.train import sharding
from abaw_jax.train.data import Data, Part, check_leaks, make_loader, moments, open_part, quotas
from abaw_jax.train.engine import Chunk, Engine, make_mesh
from abaw_jax.train.finishing import finished
from abaw_jax.train.making import check, has_words, make_task, parts_of
from abaw_jax.train.predictions import predict_rows
from abaw_jax.train.resident import Resident
from abaw_jax.train.state import State
from abaw_jax.train.windows import window_spec
from abaw_jax.types import Batch


@dataclasses.dataclass(frozen=True, eq=False)
class Run(Engine):
    """What learns from features of tracks and predicts their rows."""

    config: ConfigDict
    data: Data
    mesh: Mesh
    stats: Stats | None = None
    """None: of the training rows."""

    @classmethod
    def of(cls, config: ConfigDict, data: Data, stats: Stats | None = None) -> "Run":
        """Nothing is opened or computed yet."""
        check(config)
        return cls(config, data, make_mesh(config), stats)

    @functools.cached_property
    def training(self) -> list[Part]:
        """Training splits, each with its share of the batch."""
        where = self.data, self.config, parts_of(self.config), "train", True
        parts = [open_part(*where, challenge) for challenge, _ in quotas(self.config)]
        check_leaks(self.data.corpus, self.config)
        return parts

    @functools.cached_property
    def validation(self) -> Part:
        """What checkpoints are chosen by."""
        return self.part("validation")

    def part(self, split: str, is_official: bool = False) -> Part:
        """A split to be predicted: the fold's own, or the official one."""
        config = self.config
        if is_official and config.fold:
            config = config.copy_and_resolve_references()
            config.fold = 0
        return open_part(self.data, config, parts_of(config), split, for_training=False)

    @functools.cached_property
    def task(self) -> FrameTask:
        """Model and losses."""
        return make_task(self.config, self.stats or self._stats())

    @functools.cached_property
    def loader(self) -> Loader:
        """Of training batches, this process's rows."""
        return make_loader(self.training, self.config, jax.process_index(), jax.process_count())

    @property
    def specs(self) -> dict[str, FeatureSpec]:
        """Of the streams that the model sees."""
        if lacking := [name for name in self.config.streams if name not in self.data.specs]:
            there = ", ".join(self.data.specs)
            raise ValueError(f"streams: found {', '.join(lacking)}, expected some of those there: {there}")
        return {name: self.data.specs[name] for name in self.config.streams}

    def chunks(self, first: int) -> Iterator[Chunk]:
        """All that is left to train on from a step on; no chunk crosses an evaluation."""
        train = self.config.train
        if not train.resident:
            return super().chunks(first)
        windows = self.loader.windows
        return (Chunk(self._put_windows(windows(a, b)), b - a) for a, b in _edges(first, train))

    def advance(self, state: State, chunk: Chunk, scale: Any) -> tuple[State, dict[str, Any]]:
        """(state, of each step what it shows); the state that goes in is used up."""
        if not self.config.train.resident:
            return super().advance(state, chunk, scale)
        return self.stepper(state, self.resident, chunk.given, scale)

    @functools.cached_property
    def resident(self) -> Resident:
        """The training features, on every device."""
        if len(self.training) > 1:
            raise ValueError("train.resident: found several splits in train.mix, expected one")
        part = self.training[0]
        everywhere = sharding.everywhere(self.mesh)
        return jax.tree.map(lambda a: sharding.put(a, everywhere), Resident.of(part.source, part.plan))

    @property
    def windows(self) -> int:
        """Of all training splits together."""
        return sum(len(part.plan) for part in self.training)

    def example(self) -> Batch:
        """One empty window."""
        grids = {name: spec.grid for name, spec in self.specs.items()}
        return example(window_spec(self.config, grids), self.specs, parts_of(self.config))

    def scores(self, state: State, show: OnProgress = silent) -> dict[str, Any]:
        """The official ones, over all validation rows."""
        return dataclasses.asdict(self.evaluate(state, show)[1].all_rows)

    def evaluate(self, state: State, show: OnProgress = silent) -> tuple[RowTable, Result]:
        """Predictions for every validation row, and the official scores."""
        table = self.rows(self.validation, state, show)
        return table, evaluate(table, self.validation.truth)

    def rows(self, part: Part, state: State, show: OnProgress = silent) -> RowTable:
        """Every row of every track, finished as the config says."""
        settings = self.config.evaluation
        return finished(self.filled(part, state, settings, show), settings)

    def filled(self, part: Part, state: State, settings: ConfigDict, show: OnProgress = silent) -> RowTable:
        """Every row of every track, gaps filled as these settings of evaluation say, nothing else done."""
        wanted = Rows.wanted({track.name: track.rows for track in part.tracks})
        table = self.predict(part, state, show)
        return fill(table if settings.trusts_blind else without_blind(table), wanted, settings.fill)[0]

    def predict(self, part: Part, state: State, show: OnProgress = silent) -> RowTable:
        """Rows of a split, as the windows say; NaN where no window reaches."""
        where = jax.process_index(), jax.process_count(), self.config.train.threads
        size = self.config.train.batch_size
        batches = _told(evaluation_batches(part.source, part.plan, size, *where), len(part.plan), size, show)
        place = part.source.timelines, part.plan, part.source.grids, self.task.parts
        return predict_rows(self.predictor, state.evaluated, batches, self.put, *place)

    def _put_windows(self, windows):
        return sharding.put(windows, sharding.over_batch(self.mesh, axis=1))

    def _stats(self) -> Stats:
        labels = {t.name: found for part in self.training for t, found in part.labelled()}
        features = {}
        if self.config.train.standardize:
            features = {name: moments(self.training, name) for name in self.config.streams}
        text = self.config.text
        words = self.data.words(text.prompts, text.encoder) if has_words(self.config) else None
        return Stats.of([found.values for found in labels.values()], features, words)


def _told(batches: Iterator[Batch], windows: int, size: int, show: OnProgress) -> Iterator[Batch]:
    for number, batch in enumerate(batches):
        show("scoring", min(number * size, windows), windows)
        yield batch


def _edges(first: int, train: ConfigDict) -> Iterator[tuple[int, int]]:
    """(first step, stop) of every call: the same wherever a run was begun again."""
    while first < train.steps:
        stops = [(first // every + 1) * every for every in (train.steps_a_call, train.eval_every)]
        stop = min(*stops, train.steps)
        yield first, stop
        first = stop
