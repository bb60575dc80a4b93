"""A run that trains an encoder, on lessons in place of tracks."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import flax.linen as nn
import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from abaw_jax.inputs.lessons import Lessons, check_learner
from abaw_jax.inputs.loader import Loader, Pool, evaluation_batches
from abaw_jax.inputs.order import Order
from abaw_jax.progress import OnProgress, silent
from abaw_jax.tasks.contrast import ContrastTask, ImageText
from abaw_jax.tasks.prosody import ProsodyTask, Voice
from abaw_jax.train.engine import Engine, make_mesh
from abaw_jax.train.state import State
from abaw_jax.types import Array, Batch

LessonTask = ContrastTask | ProsodyTask


@runtime_checkable
class Blank(Protocol):
    """An encoder's network to train, as `abaw_jax.encoders.blank` opens it."""

    kind: str
    network: nn.Module
    prepare: Callable[[Array], Array]


def make_lesson_task(config: ConfigDict, blank: Blank) -> LessonTask:
    """The network with the loss of the config's task."""
    check_learner(config.task, blank.kind)
    if config.task == "prosody":
        return ProsodyTask(Voice(blank.network, blank.prepare))
    return ContrastTask(ImageText(blank.network, blank.prepare), config.loss.contrast.au)


@dataclasses.dataclass(frozen=True, eq=False)
class LessonRun(Engine):
    """What learns from images or sounds, and is scored by how well it tells what is in them."""

    config: ConfigDict
    mesh: Mesh
    task: LessonTask
    training: Lessons
    validation: Lessons

    @classmethod
    def of(cls, config: ConfigDict, blank: Blank, training: Lessons, validation: Lessons) -> "LessonRun":
        """Nothing is computed yet."""
        if config.train.resident:
            raise ValueError("train.resident: found True, expected False: lessons are streamed")
        if config.fold:
            raise ValueError(f"fold: found {config.fold}, expected 0: lessons have no folds")
        return cls(config, make_mesh(config), make_lesson_task(config, blank), training, validation)

    @functools.cached_property
    def loader(self) -> Loader:
        """Of training batches, this process's rows."""
        order = Order(len(self.training), self.config.train.batch_size, self.config.seed)
        pool = Pool(self.training, self.training, order)
        return Loader([pool], jax.process_index(), jax.process_count(), self.config.train.threads)

    @property
    def windows(self) -> int:
        """Lessons."""
        return len(self.training)

    def example(self) -> Batch:
        """One empty lesson."""
        return self.task.example()

    def scores(self, state: State, show: OnProgress = silent) -> dict[str, Any]:
        """On the lessons held back, from sums over their batches."""
        held, size = self.validation, self.config.train.batch_size
        where = jax.process_index(), jax.process_count(), self.config.train.threads
        total: dict[str, np.ndarray] = {}
        for number, batch in enumerate(evaluation_batches(held, held, size, *where)):
            show("scoring", min(number * size, len(held)), len(held))
            for name, value in self.predictor(state.evaluated, self.put(batch)).items():
                total[name] = total.get(name, 0.0) + np.asarray(value, np.float64)
        return self.task.scores(total)
