"""Every config builds and takes an abstract step; every task learns a batch by heart."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from abaw_jax.defaults import get_config as defaults
from abaw_jax.encoders.blank import open_blank
from abaw_jax.inputs.lessons import LEARNS
from abaw_jax.inputs.source import example
from abaw_jax.store.spec import FeatureSpec, Grid
from abaw_jax.tasks.frames import PARTS, Stats
from abaw_jax.train.data import quotas, window_spec
from abaw_jax.train.engine import compute_dtype
from abaw_jax.train.lessons import make_lesson_task
from abaw_jax.train.optim import make_optimizer, make_shares
from abaw_jax.train.run import make_task
from abaw_jax.train.state import fresh
from abaw_jax.train.step import make_step
from abaw_jax.types import mask_key

FOLDER = Path(__file__).parent.parent / "configs"
CONFIGS = [(path.stem, None) for path in sorted(FOLDER.glob("*.py"))] + [("mtl", "mixed")]
CONFIGS += [(name, "real") for name in ("va", "expr", "au", "mtl")]
OF_ENCODERS = ("tiny_clip", "tiny_whisper")
OF_ROWS = [(name, variant) for name, variant in CONFIGS if name not in OF_ENCODERS]
STATS = Stats((400, 30, 20, 10, 90, 80, 60, 0), tuple(range(10, 130, 10)), (900,) * 12)


def config_of(name: str, variant: str | None) -> ConfigDict:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config() if variant is None else module.get_config(variant)


def batch_of(config: ConfigDict, width: int, rows: int) -> dict[str, np.ndarray]:
    """Random features and labels, some of them masked."""
    rng = np.random.default_rng(0)
    specs = {name: FeatureSpec(name, (width,), Grid(), {}) for name in config.streams}
    one = example(window_spec(config), specs, PARTS[config.task])
    batch = {key: np.repeat(value, rows, axis=0) for key, value in one.items()}
    for name, value in batch.items():
        if value.dtype == bool:
            batch[name] = rng.random(value.shape) < 0.9
        elif name in config.streams:
            batch[name] = rng.standard_normal(value.shape).astype(value.dtype)
    labels = {
        "va": lambda shape: rng.uniform(-1, 1, shape).astype(np.float32),
        "expr": lambda shape: rng.integers(0, 7, shape).astype(np.int32),
        "au": lambda shape: rng.integers(0, 2, shape).astype(np.float32),
    }
    return batch | {part: labels[part](batch[part].shape) for part in PARTS[config.task]}


def step_of(config: ConfigDict, batch: dict[str, np.ndarray]):
    """(step, a function that makes its first state)"""
    if config.task in LEARNS:
        task = make_lesson_task(config, open_blank(config.model.name, compute_dtype(config)))
    else:
        task = make_task(config, STATS)
    optimizer = make_optimizer(config.optimizer, config.train.steps)

    def begin():
        params = task.init(jax.random.key(0), jax.tree.map(jnp.asarray, batch))["params"]
        return fresh(params, optimizer, config.optimizer.ema_decay > 0)

    shares = make_shares(config.optimizer, jax.eval_shape(begin).params)
    return make_step(task, optimizer, config.seed, config.optimizer.ema_decay, shares), begin


@pytest.mark.parametrize(("name", "variant"), OF_ROWS)
def test_a_config_builds_and_takes_an_abstract_step(name: str, variant: str | None):
    config = config_of(name, variant)
    take_an_abstract_step(config, batch_of(config, width=512, rows=config.train.batch_size))
    assert sum(windows for _, windows in quotas(config)) == config.train.batch_size


@pytest.mark.parametrize("name", OF_ENCODERS)
def test_a_config_of_an_encoder_builds_and_takes_an_abstract_step(name: str):
    config = config_of(name, None)
    rows = config.train.batch_size
    lessons = {
        "contrast": {"au": np.zeros((rows, 12), np.float32), "au_mask": np.ones(rows, bool)},
        "prosody": {"prosody": np.zeros((rows, 250, 6), np.float32), "is_heard": np.ones((rows, 250), bool)},
    }
    blank = open_blank(config.model.name, compute_dtype(config))
    example = make_lesson_task(config, blank).example()
    batch = {key: np.repeat(value, rows, axis=0) for key, value in example.items()}
    take_an_abstract_step(config, batch | lessons[config.task])


def take_an_abstract_step(config: ConfigDict, batch: dict[str, np.ndarray]) -> None:
    step, begin = step_of(config, batch)
    before = jax.eval_shape(begin)
    after, shown = jax.eval_shape(step, before, batch, np.float32(1))
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), after) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), before
    )
    assert {"loss", "gradient_norm", "skipped"} <= shown.keys()


@pytest.mark.parametrize(("name", "variant"), CONFIGS)
def test_a_config_says_how_it_is_run_and_has_only_keys_there_are(name: str, variant: str | None):
    text = (FOLDER / f"{name}.py").read_text()
    assert f"python -m abaw_jax.main --config=configs/{name}.py" in text
    keys = set(jax.tree_util.tree_leaves(list(defaults().to_dict())))
    assert set(config_of(name, variant).to_dict()) <= keys


LONG = [pytest.param(task, marks=pytest.mark.full) for task in ("va", "expr", "au")]


@pytest.mark.parametrize("task", [*LONG, "mtl"])
def test_a_task_learns_a_batch_by_heart(task: str):
    config = config_of(task, None)
    config.streams, config.window.rows = ("video",), 8
    config.model.width, config.model.layers, config.model.heads = 32, 1, 2
    config.model.dropout = config.model.modality_dropout = 0.0
    config.loss.expr.label_smoothing = 0.0
    config.optimizer.learning_rate, config.optimizer.weight_decay = 3e-3, 0.0
    config.optimizer.warmup_steps, config.train.steps = 5, 300
    batch = batch_of(config, width=24, rows=4)
    for name in config.streams:
        batch[f"present/{name}"][:] = True
    step, begin = step_of(config, batch)
    step, state = jax.jit(step), begin()
    for _ in range(config.train.steps):
        state, _ = step(state, batch, np.float32(1))
    predicted = jax.jit(make_task(config, STATS).predict)({"params": state.params}, batch)
    for part in PARTS[task]:
        mask, wanted, found = batch[mask_key(part)], batch[part], np.asarray(predicted[part])
        if part == "va":
            assert np.abs(found - wanted)[mask].max() < 0.15
        elif part == "expr":
            assert (found.argmax(-1) == wanted)[mask].all()
        else:
            assert ((found > 0.5) == (wanted > 0.5))[mask].all()


@pytest.mark.full
@pytest.mark.parametrize("value", [np.nan, 1e4])
def test_what_lies_under_a_mask_never_matters(value: float, task: str = "mtl"):
    config = config_of(task, None)
    config.window.rows = 8
    config.model.width, config.model.layers, config.model.heads = 16, 1, 2
    batch = batch_of(config, width=6, rows=4)
    other = {key: array.copy() for key, array in batch.items()}
    for name in config.streams:
        other[name][~batch[f"present/{name}"]] = value
    for part in PARTS[task]:
        hidden = ~batch[mask_key(part)]
        other[part][hidden] = 7 if part == "expr" else value
    step, begin = step_of(config, batch)
    ours, theirs = (jax.jit(step)(begin(), given, np.float32(1)) for given in (batch, other))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
