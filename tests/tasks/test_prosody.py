"""What a voice does is told at every state of its network, where there is a voice."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from abaw_jax.nn.backbones.whisper import Config, WhisperEncoder
from abaw_jax.tasks.prosody import PROSODY, SPREAD, ProsodyTask, Voice
from abaw_jax.tasks.task import Task
from tests.encoders.tiny_shapes import drawn

STATES, ROWS, MELS = 20, 10, 5


def make_batch(voices: int = 3) -> dict[str, jax.Array]:
    """Numbers that can be heard in the mel; a pause in the middle of every voice."""
    rng = np.random.default_rng(0)
    prosody = rng.normal(0, SPREAD, (voices, ROWS, 6)).astype(np.float32)
    is_heard = np.ones((voices, ROWS), bool)
    is_heard[:, 4:6] = False
    mel = np.repeat(prosody @ rng.normal(0, 1, (6, MELS)), 2 * STATES // ROWS, axis=1)
    batch = {
        "mel": mel.astype(np.float16),
        "prosody": prosody,
        "is_heard": is_heard,
        "is_real": np.ones(voices, bool),
    }
    return jax.tree.map(jnp.asarray, batch)


@pytest.fixture(scope="module")
def task() -> ProsodyTask:
    config = Config(16, 1, 2, 24, num_mel_bins=MELS, max_source_positions=STATES)
    return ProsodyTask(Voice(WhisperEncoder(config), lambda mel: mel.astype(jnp.float32)))


@pytest.fixture(scope="module")
def variables(task: ProsodyTask):
    return drawn(task.init, make_batch())


def told_by(task: ProsodyTask, variables, batch) -> np.ndarray:
    return np.asarray(jax.jit(task.model.apply)(variables, batch["mel"]), np.float64)


def test_it_is_a_task_whose_example_is_a_batch_of_one(task: ProsodyTask):
    assert isinstance(task, Task)
    example, batch = task.example(), make_batch()
    assert example["mel"].shape == (1, 2 * STATES, MELS) and example["mel"].dtype == batch["mel"].dtype
    shapes = jax.eval_shape(task.init, jax.random.key(0), example)
    assert shapes == jax.eval_shape(task.init, jax.random.key(0), batch)


def test_the_loss_is_its_definition(task: ProsodyTask, variables, measure):
    """Two states lie in a row, the network has fifty a second and there are twenty-five rows."""
    batch = make_batch()
    told = told_by(task, variables, batch)
    wanted, heard = (np.repeat(np.asarray(batch[name]), 2, axis=1) for name in ("prosody", "is_heard"))
    prosody = np.mean(((told[..., :6] - wanted) / [1, 1, 1, 0.4, 0.4, 0.4])[heard] ** 2)
    likely = 1 / (1 + np.exp(-told[..., 6]))
    hearing = -np.log(np.where(heard, likely, 1 - likely)).mean()
    (loss, shown), _ = measure(variables, batch, jax.random.key(0))
    np.testing.assert_allclose(shown["loss/prosody"], prosody, rtol=1e-5)
    np.testing.assert_allclose(shown["loss/hearing"], hearing, rtol=1e-5)
    np.testing.assert_allclose(loss, prosody + hearing, rtol=1e-5)


class Mute(Voice):
    """Tells nothing, at as many states as its network would."""

    def __call__(self, mel):
        return jnp.zeros((len(mel), mel.shape[1] // 2, 7))


def test_a_state_is_held_to_the_row_that_it_lies_in(task: ProsodyTask):
    """Two to a row, one, one to two rows, and a number that does not divide."""
    task = ProsodyTask(Mute(task.model.network, task.model.prepare))
    batch, rows = make_batch(), jnp.arange(ROWS, dtype=jnp.float32)
    batch["prosody"] = jnp.broadcast_to(rows[None, :, None], (3, ROWS, 6))
    for states in (20, 10, 5, 7):
        cut = {**batch, "mel": batch["mel"][:, : 2 * states]}
        _, wanted, heard = task._told({}, cut)
        times = np.arange(states) / states * ROWS  # in rows
        np.testing.assert_array_equal(wanted[0, :, 0], np.floor(times))
        np.testing.assert_array_equal(heard[0], batch["is_heard"][0][np.floor(times).astype(int)])


def test_what_is_not_heard_does_not_matter(variables, measure, predict):
    batch, rng = make_batch(), jax.random.key(0)
    other = {**batch, "prosody": jnp.where(batch["is_heard"][..., None], batch["prosody"], 1e6)}
    ours, theirs = (measure(variables, given, rng) for given in (batch, other))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    ours, theirs = (predict(variables, given) for given in (batch, other))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_of_a_voice_that_is_silent_only_the_silence_is_learnt(variables, measure):
    silent = {**make_batch(), "is_heard": jnp.zeros((3, ROWS), bool)}
    (loss, shown), _ = measure(variables, silent, jax.random.key(0))
    assert shown["loss/prosody"] == 0 and loss == shown["loss/hearing"] > 0


def test_voices_that_only_fill_up_a_batch_are_not_scored(variables, predict):
    batch = make_batch()
    some = {**batch, "is_real": jnp.array((True, True, False))}
    other = {**some, "mel": batch["mel"].at[2].set(3), "prosody": batch["prosody"].at[2].set(-7)}
    found, wanted, whole = (predict(variables, given) for given in (other, some, batch))
    jax.tree.map(np.testing.assert_array_equal, found, wanted)
    assert (wanted["n"], whole["n"]) == (2 * 8 * 2, 3 * 8 * 2)


def test_scores_are_of_all_six_and_of_each(task: ProsodyTask):
    error = np.linspace(0, 1, 6)
    scores = task.scores({"n": 2.0, "sum": np.zeros(6), "squares": np.ones(6), "error": error})
    assert list(scores["controls"]) == list(PROSODY)
    np.testing.assert_allclose(list(scores["controls"].values()), 1 - error)
    np.testing.assert_allclose(scores[task.score], 0.5)


def test_a_few_voices_are_learnt_by_heart(task: ProsodyTask, variables, measure, predict):
    batch, optimizer = make_batch(), optax.adam(1e-2)

    @jax.jit
    def step(grads, state, params):
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state

    params, state = variables, optimizer.init(variables)
    for _ in range(150):
        _, grads = measure(params, batch, jax.random.key(0))
        params, state = step(grads, state, params)
    scores = task.scores({k: np.asarray(v) for k, v in predict(params, batch).items()})
    assert scores["r2"] > 0.95
    is_heard = told_by(task, params, batch)[..., 6] > 0
    np.testing.assert_array_equal(is_heard, np.repeat(batch["is_heard"], 2, axis=1))
