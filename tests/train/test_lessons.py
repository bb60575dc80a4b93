"""An encoder is trained by the one loop: it learns, and when cut it goes on to the same bits."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.cli import main
from abaw_jax.defaults import get_config
from abaw_jax.encoders.blank import open_blank
from abaw_jax.encoders.load import load
from abaw_jax.inputs.lessons import Lessons
from abaw_jax.train.lessons import LessonRun, make_lesson_task
from abaw_jax.train.loop import train
from tests.encoders.tiny_shapes import write_clip_shape, write_whisper_shape
from tests.train.test_loop import assert_same, lines, saved

KINDS = ("contrast", "prosody")
WORDS = ("bright", "dark", "red", "green", "blue", "plain")


def faces(count: int, seed: int) -> Lessons:
    """Plain colours, and how much of each there is as muscles; some of them covered."""
    rng = np.random.default_rng(seed)
    colour = rng.random((count, 3)).astype(np.float32)
    image = np.broadcast_to(255 * colour[:, None, None], (count, 16, 16, 3)).astype(np.uint8)
    ids = np.full((count, 3, 16), 0, np.int32)
    ids[..., 1] = colour.argmax(axis=1)[:, None] + 1
    return Lessons({
        "image": image,
        "au": np.tile(colour, 4),
        "au_mask": rng.random(count) < 0.9,
        "text": ids,
    })  # fmt: skip


def voices(count: int, seed: int) -> Lessons:
    """Numbers that stand in the mel as they are."""
    rng = np.random.default_rng(seed)
    prosody = np.repeat(rng.normal(0, 0.5, (count, 5, 6)), 5, axis=1).astype(np.float32)
    mel = 0.1 * rng.normal(size=(count, 100, 80)).astype(np.float16)
    mel[..., :6] += np.repeat(prosody, 4, axis=1).astype(np.float16)
    return Lessons({"mel": mel, "prosody": prosody, "is_heard": rng.random((count, 25)) < 0.8})


def config_of(task: str, folder: Path):
    config = get_config()
    config.task, config.model.name = task, str(folder)
    config.optimizer.warmup_steps, config.optimizer.ema_decay = 2, 0.9
    config.optimizer.learning_rate, config.optimizer.schedule = 1e-2, "constant"
    config.train.batch_size, config.train.steps = 8, 16
    config.train.eval_every, config.train.log_every, config.train.threads = 8, 2, 2
    return config


def make_run(config) -> LessonRun:
    """More lessons than a batch, and a number to hold back that does not divide."""
    make = {"contrast": faces, "prosody": voices}[config.task]
    return LessonRun.of(config, open_blank(config.model.name, jnp.float32), make(30, 0), make(11, 1))


@pytest.fixture(scope="session")
def shapes(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("shapes")
    return {
        "contrast": write_clip_shape(root / "clip", list(WORDS), layers=1),
        "prosody": write_whisper_shape(root / "whisper", layers=1),
    }


@pytest.fixture(scope="module", params=[pytest.param("contrast", marks=pytest.mark.full), "prosody"])
def unbroken(request, shapes, tmp_path_factory):
    """(run, workdir) of a whole run."""
    run, workdir = make_run(config_of(request.param, shapes[request.param])), tmp_path_factory.mktemp("run")
    assert train(run, workdir).step == 16
    return run, workdir


def test_it_learns_what_is_in_them(unbroken):
    run, workdir = unbroken
    _, history, _ = saved(run, workdir)
    assert [entry["step"] for entry in history] == [8, 16]
    fresh = run.scores(run.fresh())
    assert history[-1]["score"] == history[-1]["scores"]["r2"] > fresh["r2"] + 0.1
    losses = [line["loss"] for line in lines(workdir) if "loss" in line]
    assert losses[-1] < losses[0]


def test_what_was_trained_becomes_an_encoder_that_loads(unbroken, tmp_path: Path, capsys):
    run, workdir = unbroken
    assert main(["export", str(workdir), "--out", str(tmp_path / "out")]) == 0
    top = max(saved(run, workdir)[1], key=lambda entry: entry["score"])
    assert f"r2 {top['score']:.3f} at step {top['step']}" in capsys.readouterr().out
    assert load(tmp_path / "out").modality == {"contrast": "face", "prosody": "audio"}[run.config.task]


def test_cut_and_begun_again_it_ends_with_the_same_bits(unbroken, monkeypatch, tmp_path: Path):
    run, workdir = unbroken
    put, count = LessonRun.put, itertools.count(1)

    def put_and_be_told_to_stop(self, batch):
        if "is_real" not in batch and next(count) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return put(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(LessonRun, "put", put_and_be_told_to_stop)
        outcome = train(run, tmp_path)
    assert (outcome.step, outcome.stopped_by) == (5, "SIGTERM")
    assert train(run, tmp_path).step == 16
    assert lines(tmp_path) == lines(workdir)
    assert_same(saved(run, tmp_path), saved(run, workdir))


def test_scores_are_of_every_lesson_held_back_and_of_none_twice(unbroken):
    """Whatever the batch: eleven in batches of eight are the eleven."""
    run, _ = unbroken
    state = run.fresh()
    everything = {**run.validation.read(run.validation, np.arange(11)), "is_real": np.ones(11, bool)}
    sums = jax.jit(run.task.predict)({"params": state.ema}, jax.tree.map(jnp.asarray, everything))
    wanted = run.task.scores({name: np.asarray(value, np.float64) for name, value in sums.items()})
    np.testing.assert_allclose(run.scores(state)["r2"], wanted["r2"], rtol=1e-4)


def test_the_average_is_what_is_scored(unbroken):
    run, _ = unbroken
    state = run.fresh()
    before = run.scores(state)
    assert run.scores(state.replace(params=jax.tree.map(jnp.zeros_like, state.params))) == before
    assert run.scores(state.replace(ema=jax.tree.map(jnp.zeros_like, state.ema))) != before


def test_a_batch_that_is_not_finite_is_named_by_its_lessons(unbroken):
    run, _ = unbroken
    (first, *_) = run.loader.rows(0)
    order = run.loader.pools[0].order.batch(0)
    assert first == f"lessons, rows {order[0] + 1} to {order[0] + 1}"


def test_lessons_are_read_in_the_order_asked_for():
    lessons = faces(5, 0)
    batch = lessons.read(lessons, np.array([3, 0, 3]))
    np.testing.assert_array_equal(batch["image"], lessons.arrays["image"][[3, 0, 3]])
    assert batch["row"].tolist() == [[3], [0], [3]] and len(lessons) == 5


def test_lessons_are_not_kept_on_the_devices(shapes):
    config = config_of("contrast", shapes["contrast"])
    config.train.resident = True
    with pytest.raises(ValueError, match=r"train\.resident: found True, expected False"):
        make_run(config)


@pytest.mark.parametrize(("task", "other"), [KINDS, KINDS[::-1]])
def test_a_task_trains_its_own_kind_of_encoder(task: str, other: str, shapes):
    kinds = {"contrast": "clip", "prosody": "whisper"}
    expected = f"model.name: found a {kinds[other]}, expected a {kinds[task]} for task {task}"
    with pytest.raises(ValueError, match=expected):
        make_lesson_task(config_of(task, shapes[other]), open_blank(shapes[other], jnp.float32))


PROGRAM = """
import json, sys
from pathlib import Path

import jax

settings = json.loads(sys.argv[1])
jax.config.update("jax_num_cpu_devices", 1)
if settings["processes"] > 1:
    address = f"localhost:{settings['port']}"
    jax.distributed.initialize(address, settings["processes"], settings["process"])

from abaw_jax.train.loop import train
from tests.train.test_lessons import config_of, make_run

train(make_run(config_of(settings["task"], Path(settings["folder"]))), Path(settings["workdir"]))
"""


def launch(task: str, folder: Path, workdir: Path, processes: int) -> list[dict]:
    """The log of a run on so many processes."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    settings = {
        "task": task, "folder": str(folder), "workdir": str(workdir), "processes": processes, "port": port,
    }  # fmt: skip
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(settings | {"process": number})],
            stderr=subprocess.PIPE, text=True,
        )
        for number in range(processes)
    ]  # fmt: skip
    said = [process.communicate(timeout=400)[1] for process in running]
    assert [process.returncode for process in running] == [0] * processes, said
    return lines(workdir)


@pytest.mark.full
@pytest.mark.parametrize("task", KINDS)
def test_two_processes_learn_and_score_what_one_does(task: str, shapes, tmp_path: Path):
    one = launch(task, shapes[task], tmp_path / "one", 1)
    two = launch(task, shapes[task], tmp_path / "two", 2)
    assert [line.keys() for line in one] == [line.keys() for line in two]
    for ours, theirs in zip(one, two, strict=True):
        np.testing.assert_allclose(list(ours.values()), list(theirs.values()), rtol=1e-3, atol=1e-4)
