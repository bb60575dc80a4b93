"""What the loop drives, whatever is learnt: a task on devices, compiled once, batch by batch."""

import abc
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from ml_collections import ConfigDict

from abaw_jax.inputs.loader import Loader
from abaw_jax.problems import one_of
from abaw_jax.progress import OnProgress, silent
from abaw_jax.store.spec import FeatureSpec
from abaw_jax.tasks.task import Task
from abaw_jax.train import sharding
from abaw_jax.train.optim import make_optimizer, make_shares
from abaw_jax.train.state import State, fresh
from abaw_jax.train.step import make_step, many_steps
from abaw_jax.types import Batch

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


class Chunk(NamedTuple):
    """What goes to the devices at once: one batch, or the windows of several steps."""

    given: Any
    steps: int


class Engine(abc.ABC):
    """A run without its data: subclasses say what a batch is and how well a state does."""

    config: ConfigDict
    mesh: Mesh
    task: Task

    @property
    @abc.abstractmethod
    def loader(self) -> Loader:
        """Of training batches, this process's rows."""

    @property
    @abc.abstractmethod
    def windows(self) -> int:
        """How many there are to learn from."""

    @abc.abstractmethod
    def example(self) -> Batch:
        """A batch of one, for its shapes and types."""

    @abc.abstractmethod
    def scores(self, state: State, show: OnProgress = silent) -> dict[str, Any]:
        """On what is held back; one of them by the task's name for it."""

    @property
    def specs(self) -> Mapping[str, FeatureSpec]:
        """Of the features that the model sees; kept with every checkpoint, and others are refused."""
        return {}

    def chunks(self, first: int) -> Iterator[Chunk]:
        """All that is left to train on from a step on; no chunk crosses an evaluation."""
        return (Chunk(self.put(batch), 1) for batch in self.loader.from_step(first, self.config.train.steps))

    def put(self, batch: Batch) -> Batch:
        """Onto the devices."""
        return sharding.put_batch(dict(batch), sharding.over_batch(self.mesh))

    @functools.cached_property
    def shapes(self) -> State:
        """Of a state, without computing one."""
        return jax.eval_shape(self._beginning)

    @functools.cached_property
    def places(self) -> State:
        """The sharding of every array of a state."""
        return sharding.place_state(self.shapes, self.mesh, self.config.train.sharding)

    def fresh(self) -> State:
        """The state before the first step."""
        return jax.jit(self._beginning, out_shardings=self.places)()

    def advance(self, state: State, chunk: Chunk, scale: Any) -> tuple[State, dict[str, Any]]:
        """(state, of each step what it shows); the state that goes in is used up."""
        return self.stepper(state, chunk.given, scale)

    @functools.cached_property
    def stepper(self):
        """The compiled step."""
        c = self.config
        shares = make_shares(c.optimizer, self.shapes.params)
        step = make_step(self.task, self._optimizer, c.seed, c.optimizer.ema_decay, shares)
        several = many_steps(step, sharding.over_batch(self.mesh), is_resident=c.train.resident)
        return jax.jit(several, donate_argnums=0, out_shardings=(self.places, None))

    @functools.cached_property
    def predictor(self):
        """The compiled prediction, of variables and a batch; the same on every device."""
        return jax.jit(self.task.predict, out_shardings=sharding.everywhere(self.mesh))

    @functools.cached_property
    def _optimizer(self):
        return make_optimizer(self.config.optimizer, self.config.train.steps)

    @functools.cached_property
    def _beginning(self) -> Callable[[], State]:
        """Makes the first state; all that it wants to know is found out here, not while JAX traces it."""
        batch, task, config = dict(self.example()), self.task, self.config

        def begin() -> State:
            variables = task.init(jax.random.key(config.seed), jax.tree.map(jnp.asarray, batch))
            return fresh(variables, self._optimizer, config.optimizer.ema_decay > 0)

        return begin


def make_mesh(config: ConfigDict) -> Mesh:
    """All devices, if the batch divides over them."""
    mesh, rows = sharding.make_mesh(), config.train.batch_size
    if rows < 1 or rows % mesh.size:
        raise ValueError(f"train.batch_size: found {rows}, expected a multiple of the {mesh.size} devices")
    return mesh


def compute_dtype(config: ConfigDict) -> Any:
    """What a model computes in."""
    return DTYPES[one_of("train.dtype", config.train["dtype"], DTYPES)]
