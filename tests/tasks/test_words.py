"""Faces held against words: the losses are their definitions, and the soft states those of the paper."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.prompts import STATES
from abaw_jax.tasks.words import CENTRES, Words, own_prompt_loss, prototypes, soft_states, state_loss
from tests.models.test_systems import QUICKLY
from tests.nn.definitions import random, softmax, some
from tests.of_configs import batch_of, config_of, task_of

LL, LM, LH, ML, MM, MH, HL, HM, HH = range(9)


def unit(x) -> np.ndarray:
    x = np.float64(x)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("va", "state", "share"),
    [
        ((0.0, 0.0), MM, 0.3534),
        ((0.0, 0.0), LM, 0.1205),
        ((0.0, 0.0), MH, 0.1205),
        ((0.0, 0.0), LL, 0.0411),
        ((0.0, 0.0), HL, 0.0411),
        ((0.66, 0.66), HH, 0.5449),
    ],
)
def test_soft_states_are_those_of_the_paper(va, state: int, share: float):
    found = soft_states(jnp.asarray([va], jnp.float32))[0]
    assert found[state] == pytest.approx(share, abs=5e-5)
    assert found.sum() == pytest.approx(1, abs=1e-6)


def test_states_are_in_the_order_of_their_prompts():
    assert CENTRES[LH].tolist() == [-0.66, 0.66] and STATES[LH] == "angry, tense, and highly aroused"
    assert CENTRES[HL].tolist() == [0.66, -0.66] and STATES[HL] == "relaxed, content, and pleasant"


@pytest.mark.parametrize("positives", ["same", "own"])
def test_contrast_is_its_definition(positives: str):
    x, prompts, label, mask = (
        random(6, 5),
        random(8, 5),
        jnp.array([3, 0, 3, 7, 0, 1]),
        some(6).at[:3].set(True),
    )
    ours = own_prompt_loss(x, prompts, label, mask, 10.0, positives)
    there = np.flatnonzero(mask)
    z, y = unit(x)[there], np.asarray(label)[there]
    logits = 10 * z @ unit(prompts)[y].T
    target = np.eye(len(y)) if positives == "own" else np.float64(y[:, None] == y[None])
    target /= target.sum(1, keepdims=True)
    both = [-(target * np.log(softmax(scores))).sum(1).mean() for scores in (logits, logits.T)]
    assert ours == pytest.approx(np.mean(both), rel=1e-4)


def test_only_where_same_classes_are_positives_a_perfect_face_costs_little():
    prompts, label, mask = random(8, 16), jnp.array([3, 0, 3, 7, 0, 1]), jnp.ones(6, bool)
    perfect = unit(prompts)[label].astype(np.float32)
    same, own = (
        own_prompt_loss(jnp.asarray(perfect), prompts, label, mask, 100.0, p) for p in ("same", "own")
    )
    floor = np.mean([np.log(2), np.log(2), np.log(2), 0, np.log(2), 0])  # of two that nothing tells apart
    assert same == pytest.approx(floor, abs=1e-3) == own


def test_states_are_their_definition():
    x, vectors, va, mask = random(5, 6), random(27, 6), 0.5 * random(5, 2), some(5)
    ours = state_loss(x, prototypes(np.asarray(vectors)), va, mask, 10.0)
    states = unit(unit(vectors).reshape(9, 3, 6).mean(1))
    p = softmax(10 * unit(x) @ states.T)
    far = ((np.float64(va)[:, None] - CENTRES[None]) ** 2).sum(-1)
    q = softmax(-far / (2 * 0.45**2))
    wanted = (q * np.log(q / p)).sum(1)[np.asarray(mask)].mean()
    assert ours == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("kind", ["expressions", "states"])
def test_what_has_no_label_does_not_matter_and_nothing_labelled_costs_nothing(kind: str):
    vectors = np.asarray(random(8 if kind == "expressions" else 27, 5))
    words, mask = Words(kind, vectors, 0.1, 10.0), jnp.array([[True], [False], [True]])
    label = {"expr": jnp.array([[1], [2], [1]]), "va": 0.3 * random(3, 1, 2)}

    def run(mask, spoilt):
        x = random(3, 5).at[1].multiply(spoilt)
        spoil = {"expr": label["expr"].at[1].set(99), "va": label["va"].at[1].set(jnp.nan)}
        batch = (spoil if spoilt != 1 else label) | {"expr_mask": mask, "va_mask": mask}
        batch["present/video"] = jnp.ones((3, 2), bool)
        return jax.value_and_grad(lambda x: words.loss({"described": x}, batch))(x)

    ours, theirs = run(mask, 1), run(mask, 1e3)
    assert ours[0] == theirs[0]
    np.testing.assert_array_equal(np.delete(ours[1], 1, 0), np.delete(theirs[1], 1, 0))
    np.testing.assert_array_equal(ours[1][1], np.zeros(5))
    none = run(jnp.zeros((3, 1), bool), 1)
    assert none[0] == 0 and not np.asarray(none[1]).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompts": "moods"}, "text.prompts: found 'moods', expected one of: expressions, states"),
        ({"positives": "all"}, "text.positives: found 'all', expected one of: same, own"),
        ({"vectors": np.zeros((8, 5))}, "text.prompts: found 8 vectors, expected 27"),
    ],
)
def test_what_is_unknown_is_refused(change, message: str):
    with pytest.raises(ValueError, match=message):
        Words(**({"prompts": "states", "vectors": np.zeros((27, 5)), "share": 1.0, "scale": 1.0} | change))


@pytest.mark.parametrize("kind", ["expressions", "states"])
def test_a_window_without_a_face_is_held_against_nothing(kind: str):
    words = Words(kind, np.asarray(random(8 if kind == "expressions" else 27, 5)), 0.1, 10.0)
    mask = jnp.ones((3, 1), bool)
    batch = {
        "expr": jnp.array([[1], [2], [1]]),
        "va": 0.3 * random(3, 1, 2),
        "expr_mask": mask,
        "va_mask": mask,
    }
    batch["present/video"] = jnp.array([[True, False], [False, False], [True, True]])
    gradient = jax.grad(lambda x: words.loss({"described": x}, batch))(random(3, 5))
    assert (np.abs(gradient).sum(axis=1) > 0).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("outputs", "batch", "message"),
    [
        ({"expr": 0}, {"expr": 0}, "the model puts nothing beside words; it has: expr"),
        ({"described": jnp.zeros((2, 4))}, {"expr": 0}, "found vectors of 5 numbers, expected 4 as of faces"),
        ({"described": jnp.zeros((2, 5))}, {"va": 0}, "'expressions' are held against labels of expr"),
    ],
)
def test_what_does_not_fit_is_told(outputs, batch, message: str):
    with pytest.raises(ValueError, match=message):
        Words("expressions", np.zeros((8, 5)), 1.0, 1.0).loss(outputs, batch)


def test_losses_at_rest_are_those_that_training_minimises():
    config = config_of("va_soft_prompt")
    config.model.update({"width": 8, "dropout": 0.0, "head_dropout": 0.0})
    batch, task = jax.tree.map(jnp.asarray, batch_of(config, rows=4)), task_of(config)
    init, loss, losses = (jax.jit(f, compiler_options=QUICKLY) for f in (task.init, task.loss, task.losses))
    variables = init(jax.random.key(0), batch)
    whole, shown, _ = loss(variables, batch, jax.random.key(1))
    found = losses(variables, batch)
    assert {f"loss/{name}": pytest.approx(value) for name, value in found.items()} == shown
    assert whole == pytest.approx(2 * found["va"] + 0.2 * found["words"])
