"""The flagship keeps the model contract: any length, any stream absent, masks say what is real."""

import functools
import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.models.temporal_fusion import TemporalFusion, others
from abaw_jax.types import present_key

SHAPES = {"video": (5,), "audio": (2, 3), "mouth": (4,)}
DTYPES = {"video": np.float16, "audio": np.float32, "mouth": np.float32}
TASKS = {"va": 2, "expr": 8, "au": 12}
SMALL = {"width": 8, "layers": 1, "heads": 2, "stem_taps": 3, "max_distance": 3}
STREAMS = ("video", "audio")


def batch_of(streams=STREAMS, b: int = 2, t: int = 7, seed: int = 0, share: float = 0.6) -> dict:
    rng = np.random.default_rng(seed)
    batch = {}
    for s in streams:
        batch[s] = jnp.asarray(rng.standard_normal((b, t, *SHAPES[s])).astype(DTYPES[s]))
        batch[present_key(s)] = jnp.asarray(rng.random((b, t)) < share)
    return batch


def model_of(streams=STREAMS, tasks=tuple(TASKS), **settings) -> TemporalFusion:
    return TemporalFusion(streams, tasks, **(SMALL | settings))


@functools.cache
def variables_of(model: TemporalFusion) -> dict:
    """Moved off their first values: a bias of zeros would hide what it does."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), batch_of(model.streams))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: jnp.asarray(0.4 * rng.standard_normal(leaf.shape), jnp.float32), shapes)


@functools.cache
def compiled(model: TemporalFusion, train: bool) -> Callable[..., dict]:
    return jax.jit(lambda v, batch, rngs: model.apply(v, batch, train, rngs=rngs))


def run(model: TemporalFusion, batch: dict, train: bool = False, seed: int = 0) -> dict:
    return compiled(model, train)(variables_of(model), batch, {"dropout": jax.random.key(seed)})


@functools.cache
def differentiated(model: TemporalFusion, train: bool = False) -> Callable[..., dict]:
    """The gradient of the squares of all that comes out, by the parameters."""

    def loss(variables: dict, batch: dict, key: jax.Array) -> jax.Array:
        out = model.apply(variables, batch, train, rngs={"dropout": key})
        return sum(jnp.square(out[task] - 0.3).sum() for task in TASKS)

    quickly = {"xla_backend_optimization_level": 0}  # compiling takes most of the time here
    return jax.jit(jax.grad(loss), compiler_options=quickly)


def gradients(model: TemporalFusion, batch: dict) -> list[jax.Array]:
    return jax.tree.leaves(differentiated(model)(variables_of(model), batch, jax.random.key(0)))


def change(batch: dict, where: jax.Array, streams=STREAMS, value: float = jnp.nan) -> dict:
    """The batch with `value` in the rows of [b t] `where`."""
    return batch | {
        s: jnp.where(where.reshape(*where.shape, *(1,) * (batch[s].ndim - 2)), value, batch[s]).astype(
            batch[s].dtype
        )
        for s in streams
    }


def assert_same(ours: dict, theirs: dict, rows=slice(None)) -> None:
    """Bit for bit, and finite."""
    for key in ours.keys() | theirs.keys():
        assert np.isfinite(ours[key]).all()
        np.testing.assert_array_equal(ours[key][:, rows], theirs[key][:, rows], err_msg=key)


def assert_close(ours: dict, theirs: dict) -> None:
    for key in ours.keys() | theirs.keys():
        np.testing.assert_allclose(ours[key], theirs[key], atol=1e-5, err_msg=key)


def subsets(names) -> list[tuple[str, ...]]:
    return [chosen for n in range(len(names)) for chosen in itertools.combinations(names, n + 1)]


@pytest.mark.parametrize(
    ("streams", "tasks"),
    [(streams, tuple(TASKS)) for streams in subsets(SHAPES)] + [(STREAMS, t) for t in subsets(TASKS)[:-1]],
)
def test_shapes_for_every_subset_of_streams_and_tasks(streams, tasks):
    model, batch = model_of(streams, tasks), batch_of(streams)
    variables = jax.eval_shape(model.init, jax.random.key(0), batch)
    out = jax.eval_shape(model.apply, variables, batch)
    widths = {task: TASKS[task] for task in tasks} | {"fused": 8, "gates": len(streams)}
    assert {key: value.shape for key, value in out.items()} == {
        key: (2, 7, width) for key, width in widths.items()
    }
    assert {value.dtype for value in out.values()} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize(("streams", "is_causal"), [(("video",), False), (STREAMS, True)])
def test_all_absent_is_finite_in_values_and_gradients(streams, is_causal: bool):
    model, batch = model_of(streams, is_causal=is_causal), batch_of(streams, share=0.0)
    out = run(model, batch)
    assert all(np.isfinite(value).all() for value in out.values())
    assert np.abs(out["va"]).max() <= 1
    np.testing.assert_array_equal(out["gates"], np.full((2, 7, len(streams)), np.float32(1 / len(streams))))
    assert all(np.isfinite(leaf).all() for leaf in gradients(model, batch))


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, 7.0])
def test_what_lies_under_absent_never_matters(value: float, is_causal: bool):
    model, batch = model_of(is_causal=is_causal), batch_of()
    dirty = batch
    for s in STREAMS:
        dirty = change(dirty, ~batch[present_key(s)], (s,), value)
    assert_same(run(model, dirty), run(model, batch))
    for ours, theirs in zip(gradients(model, dirty), gradients(model, batch), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("row", [0, 3, 6])
def test_a_causal_model_does_not_see_the_future(row: int):
    model, batch = model_of(tuple(SHAPES), is_causal=True, layers=2), batch_of(tuple(SHAPES), share=0.8)
    future = jnp.broadcast_to(jnp.arange(7) > row, (2, 7))
    before = run(model, batch)
    assert_same(run(model, change(batch, future, SHAPES, -3.0)), before, slice(row + 1))
    gone = batch | {present_key(s): batch[present_key(s)] & ~future for s in SHAPES}
    come = batch | {present_key(s): batch[present_key(s)] | future for s in SHAPES}
    assert_same(run(model, gone), before, slice(row + 1))
    assert_same(run(model, come), before, slice(row + 1))


@pytest.mark.parametrize("rows", [1, 4])
def test_a_causal_model_on_the_past_alone_says_the_same(rows: int):
    """Not bit for bit: XLA adds in another order where shapes differ."""
    model, batch = model_of(is_causal=True), batch_of()
    whole = run(model, batch)
    cut = run(model, {key: value[:, :rows] for key, value in batch.items()})
    assert_close(cut, {key: value[:, :rows] for key, value in whole.items()})


def test_a_model_that_is_not_causal_uses_the_future():
    model, batch = model_of(), batch_of(share=1.0)
    future = jnp.broadcast_to(jnp.arange(7) == 6, (2, 7))
    before, after = run(model, batch), run(model, change(batch, future, value=-3.0))
    assert np.abs(after["va"][:, 0] - before["va"][:, 0]).max() > 1e-4


@pytest.mark.parametrize("is_causal", [False, True])
def test_rows_without_any_stream_reach_nobody(is_causal: bool):
    """A batch padded on both sides says of its own rows what it says without padding."""
    model, batch = model_of(is_causal=is_causal), batch_of()
    padded = {
        key: jnp.pad(value, ((0, 0), (2, 3), *((0, 0),) * (value.ndim - 2))) for key, value in batch.items()
    }
    out = run(model, padded)
    assert_close({key: value[:, 2:-3] for key, value in out.items()}, run(model, batch))


def test_each_sample_is_by_itself():
    model, batch, order = model_of(), batch_of(b=4), np.asarray([2, 0, 3, 1])
    permuted = run(model, {key: value[order] for key, value in batch.items()})
    assert_close(permuted, {key: value[order] for key, value in run(model, batch).items()})


def test_a_missing_stream_of_a_sample_weighs_nothing_whatever_it_holds():
    model, batch = model_of(), batch_of(share=0.9)
    first = jnp.broadcast_to(jnp.arange(2)[:, None] == 0, (2, 7))
    key = present_key("audio")
    missing = batch | {key: batch[key] & ~first}
    out = run(model, missing)
    assert_same(run(model, change(missing, first, ("audio",))), out)
    has_video = np.asarray(batch[present_key("video")])
    np.testing.assert_array_equal(out["gates"][0, has_video[0], 1], 0.0)
    np.testing.assert_array_equal(out["au"][1], run(model, batch)["au"][1])
    assert np.abs(out["au"][0] - run(model, batch)["au"][0]).max() > 1e-3


def test_each_stream_hears_the_others():
    """Where the voice is absent its gate is 0, and yet its other rows tell through the face's state."""
    model, batch = model_of(), batch_of(share=1.0)
    key = present_key("audio")
    batch[key] = batch[key].at[:, 0].set(False)
    moved = change(batch, jnp.broadcast_to(jnp.arange(7) == 6, (2, 7)), ("audio",), -3.0)
    assert np.abs(run(model, moved)["va"][:, 0] - run(model, batch)["va"][:, 0]).max() > 1e-4


def test_the_others_are_all_but_one_with_their_own_masks():
    states = [jnp.full((1, 2, 3), float(i)) for i in range(3)]
    present = jnp.asarray([[[True, True, False], [True, False, False]]])
    masks, rows = others(states, present, own=0)
    np.testing.assert_array_equal(rows[0, :, 0], [1, 1, 2, 2])
    np.testing.assert_array_equal(masks, [[True, False, False, False]])


@pytest.mark.parametrize(("streams", "is_causal"), [(("video",), False), (tuple(SHAPES), True)])
def test_every_parameter_learns(streams, is_causal: bool):
    model = model_of(streams, is_causal=is_causal, modality_dropout=0.3)
    variables = variables_of(model)
    total = jax.tree.map(jnp.zeros_like, variables)
    for seed in range(4):
        batch = batch_of(streams, b=4, seed=seed, share=0.4)
        step = differentiated(model, train=True)(variables, batch, jax.random.key(seed))
        total = jax.tree.map(lambda a, g: a + jnp.abs(g), total, step)
    flat = jax.tree_util.tree_leaves_with_path(total)
    idle = [jax.tree_util.keystr(path) for path, leaf in flat if not (leaf > 1e-7).all()]
    assert not idle


def test_modality_dropout_makes_whole_streams_absent_at_its_rate():
    model = model_of(tasks=("va",), dropout=0.0, modality_dropout=0.4)
    batch = batch_of(b=2000, t=2, share=1.0)
    gates = np.asarray(run(model, batch, train=True)["gates"])
    is_dropped = gates == 0
    assert (is_dropped == is_dropped[:, :1]).all() and not is_dropped.all(axis=-1).any()
    wanted = 0.4 - 0.4**2 / 2
    np.testing.assert_allclose(
        is_dropped[:, 0].mean(axis=0), wanted, atol=5 * np.sqrt(wanted * (1 - wanted) / 2000)
    )
    assert not (np.asarray(run(model, batch)["gates"]) == 0).any()


def test_chance_is_for_training_alone():
    model, batch = model_of(), batch_of()
    assert_same(run(model, batch), run(model, batch, seed=1))
    trained = [run(model, batch, train=True, seed=s) for s in (0, 0, 1)]
    assert_same(trained[0], trained[1])
    assert np.abs(trained[0]["va"] - trained[2]["va"]).max() > 1e-2


@pytest.mark.parametrize("t", [1, 2, 5, 40])
def test_any_length_with_the_same_parameters(t: int):
    out = run(model_of(), batch_of(t=t))
    assert out["expr"].shape == (2, t, 8)
    assert all(np.isfinite(value).all() for value in out.values())


def test_bfloat16_is_near_float32():
    model, batch = model_of(dtype=jnp.bfloat16), batch_of()
    params = jax.eval_shape(model.init, jax.random.key(0), batch)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype(jnp.float32)}
    ours, exact = run(model, batch), run(model_of(), batch)
    for key, value in ours.items():
        assert value.dtype == jnp.float32
        error = np.linalg.norm(value - exact[key]) / np.linalg.norm(exact[key])
        assert error < 5e-2, key
    assert np.abs(ours["fused"] - exact["fused"]).max() > 1e-5  # it did compute in bfloat16


def test_one_compilation_for_one_shape():
    model, traces = model_of(), []
    variables = variables_of(model)

    @jax.jit
    def predict(variables: dict, batch: dict) -> dict:
        traces.append(1)
        return model.apply(variables, batch)

    for seed in range(3):
        predict(variables, batch_of(seed=seed, share=0.3 * seed))
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tasks": ("va", "mtl")}, r"found tasks \('va', 'mtl'\); expected one or more of: va, expr, au"),
        ({"tasks": ()}, r"found tasks \(\)"),
        ({"heads": 3}, r"self.heads=3"),
        ({"streams": ()}, r"self.streams=\(\)"),
        ({"streams": ("video", "voice")}, r"lacks voice, present/voice; it has: audio, present/audio"),
    ],
)
def test_what_cannot_be_is_named(settings: dict, message: str):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(model_of(**settings).init, jax.random.key(0), batch_of())
