"""Schedules by their formulas, and who gets which share of the rate when."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from abaw_jax.defaults import get_config
from abaw_jax.train.optim import is_decayed, make_optimizer, make_schedule, make_shares

PARAMS = {
    "stem": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)},
    "head": {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)},
}


def settings(**changed):
    config = get_config().optimizer
    config.update(changed)
    return config


def test_nothing_asked_nothing_done():
    assert make_shares(settings(), PARAMS) is None


@pytest.mark.parametrize("step", [0, 9, 10, 11])
def test_shares_and_release(step: int):
    config = settings(rates=(("bias", 0.0), ("stem", 0.1)), release=(("stem", 10),))
    found = make_shares(config, PARAMS)(jnp.asarray(step))
    assert float(found["stem"]["bias"]) == float(found["head"]["bias"]) == 0.0
    assert float(found["stem"]["kernel"]) == pytest.approx(0.1 if step >= 10 else 0.0)
    assert float(found["head"]["kernel"]) == 1.0


@pytest.mark.parametrize("key", ["rates", "release"])
def test_a_pattern_that_finds_nothing_is_named_with_the_names_there(key: str):
    with pytest.raises(
        ValueError, match=rf"optimizer.{key}: no parameter's name has 'hed'; they are: head/bias"
    ):
        make_shares(settings(**{key: (("hed", 1),)}), PARAMS)


def test_norms_and_biases_are_not_decayed():
    over_two_axes = {"norm": {"scale": np.ones((3, 8)), "bias": np.zeros((3, 8))}}
    found = is_decayed(PARAMS | over_two_axes)
    assert found["stem"] == {"kernel": True, "bias": False}
    assert found["norm"] == {"scale": False, "bias": False}


@pytest.mark.parametrize("name", ["constant", "cosine", "linear"])
def test_a_schedule_is_its_formula(name: str):
    config = settings(schedule=name, warmup_steps=10, learning_rate=2.0, final_share=0.1)
    schedule = make_schedule(config, 110)
    for step in (0, 5, 10, 35, 60, 110):
        done = max(0, step - 10) / 100
        after = {
            "constant": 2.0,
            "cosine": 2.0 * (0.1 + 0.9 * 0.5 * (1 + np.cos(np.pi * done))),
            "linear": 2.0 * (1 - 0.9 * done),
        }[name]
        assert float(schedule(step)) == pytest.approx(2.0 * step / 10 if step < 10 else after, rel=1e-6)


def test_an_unknown_schedule_is_named():
    with pytest.raises(ValueError, match="found 'cosin', expected one of: constant, cosine, linear"):
        make_schedule(settings(schedule="cosin"), 10)


def test_accumulated_batches_make_one_update_of_their_mean():
    config = settings(accumulate=3, schedule="constant", warmup_steps=0, clip_norm=0.0, weight_decay=0.0)
    rng = np.random.default_rng(0)
    grads = [jax.tree.map(lambda p: jnp.asarray(rng.standard_normal(p.shape)), PARAMS) for _ in range(3)]
    several, state = make_optimizer(config, 30), None
    state, params = several.init(PARAMS), PARAMS
    for number, grad in enumerate(grads):
        updates, state = several.update(grad, state, params)
        params = optax.apply_updates(params, updates)
        if number < 2:
            jax.tree.map(np.testing.assert_array_equal, params, PARAMS)
    once = make_optimizer(settings(schedule="constant", warmup_steps=0, clip_norm=0.0, weight_decay=0.0), 10)
    mean = jax.tree.map(lambda *g: sum(g) / 3, *grads)
    updates, _ = once.update(mean, once.init(PARAMS), PARAMS)
    wanted = optax.apply_updates(PARAMS, updates)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), params, wanted)
