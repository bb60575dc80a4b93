"""Everything of a run that a config decides, built once: task, optimiser, data, compiled functions."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from ml_collections import ConfigDict

from abaw_jax.evaluation.fill import fill
from abaw_jax.evaluation.rows import Rows
from abaw_jax.evaluation.scores import Result, evaluate
from abaw_jax.evaluation.smooth import smooth
from abaw_jax.evaluation.table import RowTable
from abaw_jax.inputs.loader import Loader, evaluation_batches
from abaw_jax.inputs.source import example
from abaw_jax.models.registry import make_model
from abaw_jax.progress import OnProgress, silent
from abaw_jax.store.spec import FeatureSpec
from abaw_jax.tasks.frames import PARTS, FrameTask, Stats
from abaw_jax.train import sharding
from abaw_jax.train.data import Data, Part, check_leaks, make_loader, moments, open_part, quotas, window_spec
from abaw_jax.train.optim import make_optimizer, make_shares
from abaw_jax.train.predictions import predict_rows
from abaw_jax.train.resident import Resident
from abaw_jax.train.state import State, fresh
from abaw_jax.train.step import make_step, many_steps
from abaw_jax.types import Batch

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


class Chunk(NamedTuple):
    """What goes to the devices at once: one batch, or the windows of several steps."""

    given: Any
    steps: int


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """What the loop drives."""

    config: ConfigDict
    data: Data
    mesh: Mesh
    stats: Stats | None = None
    """None: of the training rows."""

    @classmethod
    def of(cls, config: ConfigDict, data: Data, stats: Stats | None = None) -> "Run":
        """Nothing is opened or computed yet."""
        parts_of(config)
        mesh, rows = sharding.make_mesh(), config.train.batch_size
        if rows < 1 or rows % mesh.size:
            raise ValueError(
                f"train.batch_size: found {rows}, expected a multiple of the {mesh.size} devices"
            )
        return cls(config, data, mesh, stats)

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
        return open_part(self.data, self.config, parts_of(self.config), "validation", False)

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
            batches = self.loader.from_step(first, train.steps)
            return (Chunk(self.put(batch), 1) for batch in batches)
        windows = self.loader.windows
        return (Chunk(self._put_windows(windows(a, b)), b - a) for a, b in _edges(first, train))

    def put(self, batch: Batch) -> Batch:
        """Onto the devices."""
        return sharding.put_batch(dict(batch), sharding.over_batch(self.mesh))

    @functools.cached_property
    def shapes(self) -> State:
        """Of a state, without computing one."""
        return jax.eval_shape(self._fresh)

    @functools.cached_property
    def places(self) -> State:
        """The sharding of every array of a state."""
        return sharding.place_state(self.shapes, self.mesh, self.config.train.sharding)

    def fresh(self) -> State:
        """The state before the first step."""
        return jax.jit(self._fresh, out_shardings=self.places)()

    def advance(self, state: State, chunk: Chunk, scale: Any) -> tuple[State, dict[str, Any]]:
        """(state, of each step what it shows); the state that goes in is used up."""
        if self.config.train.resident:
            return self._advance(state, self.resident, chunk.given, scale)
        return self._advance(state, chunk.given, scale)

    @functools.cached_property
    def resident(self) -> Resident:
        """The training features, on every device."""
        if len(self.training) > 1:
            raise ValueError("train.resident: found several splits in train.mix, expected one")
        part = self.training[0]
        everywhere = sharding.everywhere(self.mesh)
        return jax.tree.map(lambda a: sharding.put(a, everywhere), Resident.of(part.source, part.plan))

    def evaluate(self, state: State, show: OnProgress = silent) -> tuple[RowTable, Result]:
        """Predictions for every validation row, and the official scores."""
        table = self.rows(self.validation, state, show)
        return table, evaluate(table, self.validation.truth)

    def rows(
        self, part: Part, state: State, show: OnProgress = silent, smoothing_s: float | None = None
    ) -> RowTable:
        """Every row of every track, gaps filled and smoothed as the config says, or over another width."""
        evaluation = self.config.evaluation
        wanted = Rows.wanted({track.name: track.rows for track in part.tracks})
        table, _ = fill(self.predict(part, state, show), wanted, evaluation.fill)
        width_s = evaluation.smoothing_s if smoothing_s is None else smoothing_s
        return smooth(table, evaluation.smoothing, width_s) if evaluation.smoothing != "none" else table

    def predict(self, part: Part, state: State, show: OnProgress = silent) -> RowTable:
        """Rows of a split, as the windows say; NaN where no window reaches."""
        params = state.params if state.ema is None else state.ema
        where = jax.process_index(), jax.process_count(), self.config.train.threads
        size = self.config.train.batch_size
        batches = _told(evaluation_batches(part.source, part.plan, size, *where), len(part.plan), size, show)
        return predict_rows(
            self._predict, params, batches, self.put, part.source.timelines, part.plan, self.task.parts
        )

    @functools.cached_property
    def _advance(self):
        c = self.config
        shares = make_shares(c.optimizer, self.shapes.params)
        step = make_step(self.task, self._optimizer, c.seed, c.optimizer.ema_decay, shares)
        several = many_steps(step, sharding.over_batch(self.mesh), is_resident=c.train.resident)
        return jax.jit(several, donate_argnums=0, out_shardings=(self.places, None))

    @functools.cached_property
    def _predict(self):
        everywhere = sharding.everywhere(self.mesh)
        return jax.jit(lambda p, batch: self.task.predict({"params": p}, batch), out_shardings=everywhere)

    @functools.cached_property
    def _optimizer(self):
        return make_optimizer(self.config.optimizer, self.config.train.steps)

    def _put_windows(self, windows):
        return sharding.put(windows, sharding.over_batch(self.mesh, axis=1))

    def _fresh(self) -> State:
        batch = example(window_spec(self.config), self.specs, self.task.parts)
        variables = self.task.init(jax.random.key(self.config.seed), jax.tree.map(jnp.asarray, dict(batch)))
        return fresh(variables["params"], self._optimizer, self.config.optimizer.ema_decay > 0)

    def _stats(self) -> Stats:
        labels = {t.name: found for part in self.training for t, found in part.labelled()}
        features = {}
        if self.config.train.standardize:
            features = {name: moments(self.training, name) for name in self.config.streams}
        return Stats.of([found.values for found in labels.values()], features)


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


def parts_of(config: ConfigDict) -> tuple[str, ...]:
    """What a config's task predicts."""
    if config.task not in PARTS:
        raise ValueError(f"task: found {config['task']!r}, expected one of: {', '.join(PARTS)}")
    return PARTS[config.task]


def make_task(config: ConfigDict, stats: Stats) -> FrameTask:
    """The task of a config with its model."""
    parts, settings = parts_of(config), dict(config.model)
    name = settings.pop("name")
    if config.train.dtype not in DTYPES:
        raise ValueError(f"train.dtype: found {config.train['dtype']!r}, expected {' or '.join(DTYPES)}")
    given: dict[str, Any] = {"dtype": DTYPES[config.train.dtype]}
    model = make_model(name, settings, streams=tuple(config.streams), tasks=parts, **given)
    losses = {part: dict(config.loss[part]) for part in parts}
    return FrameTask(config.task, model, losses, {part: config.loss.shares[part] for part in parts}, stats)
