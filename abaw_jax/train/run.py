"""Everything of a run that a config decides, built once: task, optimiser, data, compiled functions."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from ml_collections import ConfigDict

from abaw_jax.corpus.tracks import Corpus
from abaw_jax.evaluation.fill import fill
from abaw_jax.evaluation.scores import Result, evaluate
from abaw_jax.evaluation.smooth import smooth
from abaw_jax.evaluation.table import RowTable
from abaw_jax.inputs.loader import Loader, evaluation_batches
from abaw_jax.inputs.order import Order
from abaw_jax.inputs.source import Labels
from abaw_jax.models.registry import make_model
from abaw_jax.store.features import Features
from abaw_jax.tasks.frames import PARTS, FrameTask, Stats
from abaw_jax.train import sharding
from abaw_jax.train.data import Part, check_leaks, open_part, truth_of
from abaw_jax.train.optim import make_optimizer
from abaw_jax.train.predictions import predict_rows
from abaw_jax.train.state import State, fresh
from abaw_jax.train.step import make_step
from abaw_jax.types import Batch

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """What the loop drives."""

    config: ConfigDict
    task: FrameTask
    training: Part
    validation: Part
    mesh: Mesh

    @classmethod
    def of(cls, config: ConfigDict, corpus: Corpus, features: Mapping[str, Features]) -> "Run":
        """Open the data and build the model; nothing is computed yet."""
        parts = _parts(config)
        check_leaks(corpus, config)
        training, validation = (
            open_part(corpus, features, config, parts, split) for split in ("train", "validation")
        )
        labels = [Labels.of(track, parts, None).values for track in training.tracks]
        return cls(config, make_task(config, Stats.of(labels)), training, validation, sharding.make_mesh())

    def batches(self, first: int) -> Iterator[Batch]:
        """Training batches from a step on, this process's rows."""
        c = self.config
        order = Order(len(self.training.plan), c.train.batch_size, c.seed)
        where = jax.process_index(), jax.process_count(), c.train.threads
        return Loader(self.training.source, self.training.plan, order, *where).from_step(first, c.train.steps)

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

    @functools.cached_property
    def step(self):
        """The compiled step; the state that goes in is used up."""
        c = self.config
        step = make_step(self.task, self._optimizer, c.seed, c.optimizer.ema_decay)
        return jax.jit(step, donate_argnums=0, out_shardings=(self.places, None))

    def evaluate(self, state: State) -> tuple[RowTable, Result]:
        """Predictions for every validation row, and the official scores."""
        table = self.predict(self.validation, state)
        evaluation, truth = self.config.evaluation, truth_of(self.validation.tracks, self.task.parts)
        table, _ = fill(table, truth, evaluation.fill)
        if evaluation.smoothing != "none":
            table = smooth(table, evaluation.smoothing, evaluation.smoothing_s)
        return table, evaluate(table, truth)

    def predict(self, part: Part, state: State) -> RowTable:
        """Rows of a split, as the windows say; NaN where no window reaches."""
        params = state.params if state.ema is None else state.ema
        where = jax.process_index(), jax.process_count(), self.config.train.threads
        batches = evaluation_batches(part.source, part.plan, self.config.train.batch_size, *where)
        return predict_rows(
            self._predict, params, batches, self.put, part.source.timelines, part.plan, self.task.parts
        )

    @functools.cached_property
    def _predict(self):
        everywhere = sharding.everywhere(self.mesh)
        return jax.jit(lambda p, batch: self.task.predict({"params": p}, batch), out_shardings=everywhere)

    @functools.cached_property
    def _optimizer(self):
        return make_optimizer(self.config.optimizer, self.config.train.steps)

    def _fresh(self) -> State:
        read = self.training.source.read(self.training.plan, Order(len(self.training.plan), 1, 0).batch(0))
        variables = self.task.init(jax.random.key(self.config.seed), jax.tree.map(jnp.asarray, dict(read)))
        return fresh(variables["params"], self._optimizer, self.config.optimizer.ema_decay > 0)


def _parts(config: ConfigDict) -> tuple[str, ...]:
    if config.task not in PARTS:
        raise ValueError(f"task: found {config['task']!r}, expected one of: {', '.join(PARTS)}")
    return PARTS[config.task]


def make_task(config: ConfigDict, stats: Stats) -> FrameTask:
    """The task of a config with its model."""
    parts, settings = _parts(config), dict(config.model)
    name = settings.pop("name")
    if config.train.dtype not in DTYPES:
        raise ValueError(f"train.dtype: found {config.train['dtype']!r}, expected {' or '.join(DTYPES)}")
    given: dict[str, Any] = {"dtype": DTYPES[config.train.dtype]}
    model = make_model(name, settings, streams=tuple(config.streams), tasks=parts, **given)
    losses = {part: dict(config.loss[part]) for part in parts}
    return FrameTask(config.task, model, losses, {part: config.loss.shares[part] for part in parts}, stats)
