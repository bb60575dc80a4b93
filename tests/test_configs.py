"""Every config builds and takes an abstract step; every task learns a batch by heart."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from abaw_jax.defaults import get_config as defaults
from abaw_jax.encoders.blank import open_blank
from abaw_jax.inputs.lessons import LEARNS
from abaw_jax.labels import PARTS
from abaw_jax.report.commands import REAL
from abaw_jax.train.data import quotas
from abaw_jax.train.engine import compute_dtype
from abaw_jax.train.lessons import make_lesson_task
from abaw_jax.train.making import model_of
from abaw_jax.train.saved import Saved
from abaw_jax.train.workdir import as_json
from abaw_jax.types import mask_key
from tests.of_configs import FOLDER, NAMES, OF_ENCODERS, batch_of, config_of, step_of, task_of, variants_of

CONFIGS = [(name, variant) for name in NAMES for variant in variants_of(name)]
FLAGSHIP = ("va", "expr", "au", "mtl")


def is_long(name: str, variant: str | None) -> bool:
    """Full sizes take long to trace; of the flagship's four the one with all heads is enough every day."""
    return name != "mtl" and bool(variant) and variant.endswith(("full", "real"))


BY_SIZE = [
    pytest.param(*config, marks=[pytest.mark.full] if is_long(*config) else [])
    for config in CONFIGS
    if config[0] not in OF_ENCODERS
]


@pytest.mark.parametrize(("name", "variant"), BY_SIZE)
def test_a_config_builds_and_takes_an_abstract_step(name: str, variant: str | None):
    config = config_of(name, variant)
    take_an_abstract_step(config, batch_of(config, config.train.batch_size))
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
    config = config_of(name, variant)
    for key in set(config) - set(defaults()):  # streams of its own
        assert set(config[key]) in (set(defaults().video), set(defaults().audio))


@pytest.mark.parametrize(("name", "variant"), CONFIGS)
def test_a_checkpoint_has_the_config_again_that_it_was_trained_with(name: str, variant: str | None):
    config = config_of(name, variant)
    found = Saved(Path("runs/any"), 1, {"config": as_json(config)}).config(["evaluation.folds=7"])
    config.evaluation.folds = 7
    assert found.to_dict() == config.to_dict()
    if config.task not in LEARNS:
        task_of(found)  # and its model is built from it


@pytest.mark.parametrize(("name", "variant"), [config for config in CONFIGS if config[0] not in OF_ENCODERS])
def test_every_setting_of_a_model_is_a_key_and_so_a_flag(name: str, variant: str | None):
    config = config_of(name, variant)
    fields = {field.name for field in dataclasses.fields(model_of(config))}
    assert set(config.model) == fields - {"parent", "streams", "tasks", "dtype"}


def test_whoever_has_a_variant_for_a_real_corpus_is_told_of_it():
    has = {name: [v for v in variants_of(name) if v and v.endswith("real")] for name in NAMES}
    assert {f"{name}:{variant}" for name in NAMES for variant in has[name]} == set(REAL.values())


@pytest.mark.full
@pytest.mark.parametrize("task", FLAGSHIP)
def test_a_task_learns_a_batch_by_heart(task: str):
    config = config_of(task, None)
    config.streams, config.window.rows = ("video",), 8
    config.model.width, config.model.layers, config.model.heads = 32, 1, 2
    config.model.dropout = config.model.modality_dropout = 0.0
    config.loss.expr.label_smoothing = 0.0
    config.optimizer.learning_rate, config.optimizer.weight_decay = 3e-3, 0.0
    config.optimizer.warmup_steps, config.train.steps = 5, 300
    batch = batch_of(config, rows=4)
    for name in config.streams:
        batch[f"present/{name}"][:] = True
    step, begin = step_of(config, batch)
    step, state = jax.jit(step), begin()
    for _ in range(config.train.steps):
        state, _ = step(state, batch, np.float32(1))
    predicted = jax.jit(task_of(config).predict)(state.evaluated, batch)
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
    batch = batch_of(config, rows=4)
    other = {key: array.copy() for key, array in batch.items()}
    for name in config.streams:
        other[name][~batch[f"present/{name}"]] = value
    for part in PARTS[task]:
        hidden = ~batch[mask_key(part)]
        other[part][hidden] = 7 if part == "expr" else value
    step, begin = step_of(config, batch)
    ours, theirs = (jax.jit(step)(begin(), given, np.float32(1)) for given in (batch, other))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
