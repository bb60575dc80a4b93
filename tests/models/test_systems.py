"""What holds for every system: shapes, masks, order, gradients, bfloat16, a batch learnt by heart."""

import dataclasses
import functools
import re
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from abaw_jax.defaults import by_modality
from abaw_jax.labels import PARTS, WIDTHS
from abaw_jax.nn.norms import STATISTICS
from abaw_jax.types import mask_key, present_key
from tests.of_configs import batch_of, config_of, step_of, task_of

SYSTEMS = (
    "va", "expr_dilated_fusion", "va_interactive", "expr_text_guided", "va_soft_prompt",
    "masked_transformer:va", "masked_transformer:expr", "masked_transformer:au", "au_local_global",
)  # fmt: skip
OPTIONS = {
    "expr_dilated_fusion": {"fusion": "decision"},
    "va_interactive": {"fusion": "mha_gate"},
    "va_soft_prompt": {"temporal": "gru", "fusion": "gated"},
    "masked_transformer:va": {"mask_mode": "element"},
}
SMALL = {
    "va": {"width": 16, "heads": 2},
    "expr_dilated_fusion": {"width": 8},
    "va_interactive": {
        "width": 8,
        "side_width": 8,
        "shared_width": 8,
        "head_width": 8,
        "levels": 2,
        "gate_width": 8,
    },
    "expr_text_guided": {"width": 16, "levels": 2},
    "va_soft_prompt": {"width": 16},
    "masked_transformer": {"layers": 1, "hidden": 16, "head_width": 8},
    "au_local_global": {"width": 8, "temporal_widths": (8, 8), "head_width": 8, "scales": (2, 0)},
}
INERT = {
    "bias of keys, which moves all scores of a query alike": r"/k/bias$",
    "bias before a norm that takes out the mean": r"(narrow|wide|here|ring_\d|whole|out|flat|head)/bias$",
    "bias before a linear map before such a norm": r"temporal_norm/bias$",
}
QUICKLY = {"xla_backend_optimization_level": 0}  # compiling takes most of the time here
every_system = pytest.mark.parametrize("system", SYSTEMS)
ALL = [(system, {}) for system in SYSTEMS] + list(OPTIONS.items())
every_option = pytest.mark.parametrize(
    ("system", "option"), ALL, ids=["-".join([system, *option.values()]) for system, option in ALL]
)


def small(system: str, option: dict | None = None, **settings) -> ConfigDict:
    """Its config with few rows and numbers, and nothing left to chance."""
    name, _, variant = system.partition(":")
    config = config_of(name, variant or None)
    config.model.update(SMALL[name] | (option or {}) | settings)
    config.window.rows = min(config.window.rows, 12)
    for stream in config.streams:
        if config[stream].reach != "rows":
            config[stream].reach_s, config[stream].reach_count = 1.0, 6
    if config.audio.reach == "native":
        config.audio.reach_s, config.audio.reach_count = 0.24, None
    return config


def still(config: ConfigDict) -> ConfigDict:
    """Without dropout, masking or augmentation."""
    fields = [field.name for field in dataclasses.fields(task_of(config).model)]
    for name in fields:
        if "dropout" in name or name == "mask_rate":
            config.model[name] = 0.0
    return config


@functools.cache
def made(system: str, option: tuple = (), dtype: str = "float32") -> tuple[Callable, dict, dict]:
    """(compiled prediction, variables moved off their first values, a batch)"""
    config = small(system, dict(option))
    config.train.dtype = dtype
    batch, task = batch_of(config, rows=3, share=0.7), task_of(config)
    variables = jax.eval_shape(task.init, jax.random.key(0), batch)
    rng = np.random.default_rng(0)
    moved = jax.tree_util.tree_map_with_path(
        lambda path, leaf: (
            np.abs(0.3 * rng.standard_normal(leaf.shape)).astype(np.float32) + 0.3
            if path[-1].key in ("var", "scale")
            else (rng.standard_normal(leaf.shape) * min(0.3, leaf.size**-0.25)).astype(np.float32)
        ),
        variables,
    )
    return jax.jit(task.predict, compiler_options=QUICKLY), moved, batch


def spoil(batch: dict, value: float) -> dict:
    """`value` wherever a stream is absent."""
    out = dict(batch)
    for key in batch:
        if present_key(key) in batch:
            out[key] = batch[key].copy()
            out[key][~batch[present_key(key)]] = value
    return out


@every_option
def test_every_task_has_its_shape_and_is_finite(system: str, option: dict):
    predict, variables, batch = made(system, tuple(option.items()))
    out = predict(variables, batch)
    rows = batch["row"].shape[1]
    assert {key: value.shape for key, value in out.items()} == {key: (3, rows, WIDTHS[key]) for key in out}
    assert all(np.isfinite(value).all() and value.dtype == jnp.float32 for value in out.values())


@every_option
def test_what_lies_under_absent_never_matters(system: str, option: dict):
    predict, variables, batch = made(system, tuple(option.items()))
    jax.tree.map(
        np.testing.assert_array_equal, predict(variables, batch), predict(variables, spoil(batch, np.nan))
    )


@every_system
def test_the_order_of_a_batch_does_not_matter(system: str):
    predict, variables, batch = made(system)
    order = np.array([2, 0, 1])
    ours = predict(variables, {key: value[order] for key, value in batch.items()})
    for key, value in predict(variables, batch).items():
        np.testing.assert_allclose(ours[key], value[order], atol=1e-5)


@every_option
def test_where_all_but_one_modality_is_absent_that_one_still_counts(system: str, option: dict):
    predict, variables, batch = made(system, tuple(option.items()))
    parts = by_modality(small(system, option)).values()
    for left in parts:
        there = {stream: stream in left for part in parts for stream in part}
        alone = {name: np.full_like(batch[present_key(name)], is_there) for name, is_there in there.items()}
        alone = batch | {present_key(name): present for name, present in alone.items()}
        other = alone | {name: 3 - 2 * batch[name] for name in left}
        for task, values in predict(variables, alone).items():
            assert not np.allclose(values, predict(variables, other)[task], atol=1e-4), (left, task)


@every_system
def test_with_everything_absent_it_is_finite(system: str):
    predict, variables, batch = made(system)
    nothing = {
        key: np.zeros_like(value) if key.startswith("present/") else value for key, value in batch.items()
    }
    assert all(np.isfinite(value).all() for value in predict(variables, nothing).values())


PADDED = ("va", "va_interactive", "expr_text_guided", "va_soft_prompt", "au_local_global")
"""Any length will do; of the others the length is a part of the model."""


@pytest.mark.parametrize("system", PADDED)
def test_padding_does_not_matter(system: str):
    predict, variables, batch = made(system)
    longer = dict(batch)
    keys = [k for k in batch if present_key(k) in batch or k.startswith("present/")]
    if batch["row"].shape[1] > 1:
        keys += [key for key in (*WIDTHS, *map(mask_key, WIDTHS), "row") if key in batch]
    for key in keys:
        edge = [(0, 0), (0, 5), *[(0, 0)] * (batch[key].ndim - 2)]
        longer[key] = np.pad(batch[key], edge)
    ours, theirs = predict(variables, longer), predict(variables, batch)
    for key, value in theirs.items():
        there = np.any(
            [batch[k] for k in batch if k.startswith("present/") and batch[k].shape[1] == value.shape[1]], 0
        )
        seen = np.broadcast_to(there, value.shape[:2]) if there.ndim else np.ones(value.shape[:2], bool)
        np.testing.assert_allclose(ours[key][:, : value.shape[1]][seen], value[seen], atol=1e-5)


@pytest.mark.parametrize("option", [{}, {"fusion": "mha_gate"}], ids=str)
def test_the_interactive_system_sees_the_future_only_through_its_gate(option: dict):
    predict, variables, batch = made("va_interactive", tuple(option.items()))
    future = dict(batch)
    for stream in ("video", "audio"):
        future[stream] = batch[stream].copy()
        future[stream][:, 8:] = -3.0
    ours, theirs = (predict(variables, given)["va"][:, :8] for given in (batch, future))
    assert np.array_equal(ours, theirs) == (not option)


@every_option
@pytest.mark.full
def test_every_parameter_is_learnt_within_five_steps(system: str, option: dict):
    config = small(system, option)
    config.optimizer.warmup_steps = 0
    batch = jax.tree.map(jnp.asarray, batch_of(config, rows=8))
    task, (step, begin) = task_of(config), step_of(config, batch)
    step = jax.jit(step)
    gradient = jax.jit(jax.grad(lambda p, kept, rng: task.loss({"params": p} | kept, batch, rng)[0]))
    state, largest = jax.jit(begin)(), None
    for number in range(5):
        found = gradient(state.params, state.kept or {}, jax.random.key(number))
        sizes = jax.tree.map(lambda leaf: jnp.abs(leaf).max(), found)
        largest = sizes if largest is None else jax.tree.map(jnp.maximum, largest, sizes)
        state, _ = step(state, batch, np.float32(1))
    sizes = {
        jax.tree_util.keystr(path, simple=True, separator="/"): float(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(largest)
    }
    inert = {name for name, size in sizes.items() if size < 1e-6 * max(sizes.values())}
    known = {name for name in sizes if any(re.search(pattern, name) for pattern in INERT.values())}
    assert inert <= known, "nothing is there for nothing"


@every_system
@pytest.mark.full
def test_a_batch_is_learnt_by_heart(system: str):
    config = still(small(system))
    config.optimizer.learning_rate, config.optimizer.weight_decay = 5e-3, 0.0
    config.optimizer.schedule, config.optimizer.warmup_steps = "constant", 10
    config.loss.expr.label_smoothing = config.loss.expr.focal_gamma = config.loss.au.focal_gamma = 0.0
    config.text.share = 0.0
    batch = batch_of(config, rows=6)
    for key in batch:
        if key.startswith("present/"):
            batch[key][:] = True
    step, begin = step_of(config, batch)
    step, state = jax.jit(step), jax.jit(begin)()
    for _ in range(800):
        state, _ = step(state, batch, np.float32(1))
    # Seen as in training: of six windows the moving averages of a batch norm know little.
    task, luck = task_of(config), {"dropout": jax.random.key(0)}
    see = partial(task.model.apply, train=True, rngs=luck, mutable=[STATISTICS])
    out, _ = jax.jit(see)(state.evaluated, batch)
    for part in PARTS[config.task]:
        mask, wanted, found = batch[mask_key(part)], batch[part], np.asarray(out[part])
        if part == "va":
            assert np.abs(found - wanted)[mask].mean() < 0.1
        elif part == "expr":
            assert (found.argmax(-1) == wanted)[mask].all()
        else:
            assert ((found > 0) == (wanted > 0.5))[mask].mean() > 0.98


@every_system
@pytest.mark.full
def test_in_bfloat16_it_says_about_the_same_and_takes_a_step(system: str):
    predict, variables, batch = made(system)
    exact, rounded = predict(variables, batch), made(system, (), "bfloat16")[0](variables, batch)
    for key, value in rounded.items():
        assert value.dtype == jnp.float32
        assert np.abs(value - exact[key]).mean() < 0.1
    config = small(system)
    config.train.dtype = "bfloat16"
    step, begin = step_of(config, batch)
    state, shown = jax.jit(step)(jax.jit(begin)(), batch, np.float32(1))
    assert np.isfinite(shown["loss"])
    assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {jnp.dtype("float32")}
