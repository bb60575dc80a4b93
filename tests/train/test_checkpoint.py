"""A damaged checkpoint is told of and set aside, the one before it used; the last sound one is never lost."""

import gc
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from abaw_jax.train.checkpoint import Checkpoints, UnusableCheckpoint, as_target, checksum
from abaw_jax.train.sharding import make_mesh, place_state
from abaw_jax.train.state import State, fresh

# tensorstore lets go of what it was reading when one of many reads fails
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
OPTIMIZER = optax.MultiSteps(optax.adamw(0.1), 2)


def state_of(step: int, width: int = 64) -> State:
    rng = np.random.default_rng(step)
    params = {"a": {"kernel": rng.standard_normal((width, 32))}, "b": rng.standard_normal(32)}
    params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), params)
    return fresh({"params": params}, OPTIMIZER, has_ema=True).replace(step=jnp.asarray(step, jnp.int32))


def target_of(state: State) -> State:
    return as_target(state, place_state(state, make_mesh(), (("", "replicate"),)))


@pytest.fixture(autouse=True)
def leftovers_go_here():
    """Not in a later test, where they would be an error."""
    yield
    gc.collect()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Checkpoints of steps 1 to 4, the second being the best."""
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep_best=1)
    for step, score in ((1, 0.1), (2, 0.9), (3, 0.2), (4, 0.3)):
        checkpoints.save(state_of(step), {"history": [{"step": step, "score": score}]}, score)
    checkpoints.close()
    return tmp_path / "checkpoints"


def opened(folder: Path, wanted: State):
    """(what is restored, the steps that are left)"""
    checkpoints = Checkpoints(folder, keep_best=1)
    try:
        return checkpoints.latest(target_of(wanted)), checkpoints.steps()
    finally:
        checkpoints.close()


def largest(folder: Path) -> Path:
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def flip(path: Path) -> None:
    """A bit within an array: half way, where two arrays meet, it has once been nobody's."""
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 0x10
    path.write_bytes(content)


def test_the_best_and_the_latest_two_are_kept_and_read_back_to_the_bit(folder: Path):
    found, steps = opened(folder, state_of(0))
    assert steps == [2, 3, 4]
    assert found.step == 4
    assert found.notes["history"] == [{"step": 4, "score": 0.3}]
    for ours, theirs in zip(jax.tree.leaves(found.state), jax.tree.leaves(state_of(4)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "truncated": lambda newest: largest(newest / "state").write_bytes(b"\x00" * 10),
    "missing": lambda newest: largest(newest / "state").unlink(),
    "flipped": lambda newest: flip(largest(newest / "state")),
    "no notes": lambda newest: [path.unlink() for path in (newest / "notes").rglob("*") if path.is_file()],
    "no metadata": lambda newest: (newest / "state" / "_METADATA").unlink(),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_the_one_before_a_damaged_one_is_used(kind: str, folder: Path, caplog):
    DAMAGE[kind](folder / "4")
    found, steps = opened(folder, state_of(0))
    assert found.step == 3
    assert steps == [2, 3]
    assert f"{folder / '4'}: " in caplog.text
    assert "using the one before it" in caplog.text
    assert (folder / "damaged-4").is_dir()


def test_of_equal_scores_the_first_is_kept(tmp_path: Path):
    checkpoints = Checkpoints(tmp_path, keep_best=1)
    for step, score in ((1, 0.5), (2, 0.5), (3, 0.4), (4, 0.3)):
        checkpoints.save(state_of(step), {"history": []}, score)
    checkpoints.close()
    assert opened(tmp_path, state_of(0))[1] == [1, 3, 4]


def test_the_same_step_may_be_damaged_twice(folder: Path):
    for name in ("damaged-4", "damaged-4.1"):
        flip(largest(folder / "4" / "state"))
        assert opened(folder, state_of(0))[0].step == 3
        assert (folder / name).is_dir()
        checkpoints = Checkpoints(folder, keep_best=1)
        checkpoints.save(state_of(4), {"history": []}, 0.3)
        checkpoints.close()


def test_a_run_goes_on_past_a_damaged_one(folder: Path):
    flip(largest(folder / "4" / "state"))
    checkpoints = Checkpoints(folder, keep_best=1)
    assert checkpoints.latest(target_of(state_of(0))).step == 3
    checkpoints.save(state_of(4), {"history": []}, 0.3)
    checkpoints.close()
    assert opened(folder, state_of(0))[0].step == 4


def test_what_a_kill_left_half_written_is_no_checkpoint(folder: Path):
    (folder / "5.orbax-checkpoint-tmp" / "state").mkdir(parents=True)
    assert opened(folder, state_of(0))[0].step == 4


def test_nothing_there_is_a_fresh_start(tmp_path: Path):
    assert opened(tmp_path / "none", state_of(0)) == (None, [])


def test_the_last_sound_one_stays_whatever_became_of_the_others(folder: Path):
    for step in ("4", "3"):
        flip(largest(folder / step / "state"))
    found, steps = opened(folder, state_of(0))
    assert (found.step, steps) == (2, [2])


def test_where_none_is_sound_nothing_is_begun_anew_over_them(folder: Path):
    for step in ("4", "3", "2"):
        DAMAGE["missing"](folder / step)
    with pytest.raises(UnusableCheckpoint, match=f"and no other is sound: remove {folder}"):
        opened(folder, state_of(0))
    assert sorted(path.name for path in folder.iterdir()) == ["2", "3", "4"]


def test_a_checkpoint_of_another_model_is_an_error_and_stays(folder: Path):
    with pytest.raises(
        UnusableCheckpoint,
        match=r"checkpoints/4: of another model: ema/a/kernel: found float32.64, 32., expected",
    ):
        opened(folder, state_of(0, width=48))
    assert opened(folder, state_of(0))[1] == [2, 3, 4]


def test_a_step_that_is_there_already_is_not_saved_in_silence(folder: Path):
    checkpoints = Checkpoints(folder, keep_best=1)
    with pytest.raises(UnusableCheckpoint, match="found step 4 there already"):
        checkpoints.save(state_of(4), {"history": []}, 0.5)
    checkpoints.close()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.int32, jnp.uint8, bool])
def test_every_bit_counts(dtype):
    rng = np.random.default_rng(0)
    whole = jnp.asarray(rng.integers(0, 2 if dtype is bool else 100, (7, 9))).astype(dtype)
    before = int(checksum({"a": whole, "b": jnp.zeros(3)}))
    changed = whole.at[3, 4].set(~whole[3, 4] if dtype is bool else whole[3, 4] + 1)
    assert int(checksum({"a": changed, "b": jnp.zeros(3)})) != before
    assert int(checksum({"a": whole[::-1], "b": jnp.zeros(3)})) != before
    assert int(checksum({"b": jnp.zeros(3), "a": whole})) == before
