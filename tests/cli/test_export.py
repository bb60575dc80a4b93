"""From a run that trained an encoder to a folder that every loader reads."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import safe_open

from abaw_jax.cli import main
from abaw_jax.encoders.blank import open_blank
from abaw_jax.encoders.files import sha256_of
from abaw_jax.encoders.load import load
from abaw_jax.train.checkpoint import Checkpoints
from abaw_jax.train.saved import Saved
from abaw_jax.train.workdir import as_json
from tests.encoders.tiny_shapes import write_clip_shape, write_whisper_shape
from tests.train.test_lessons import WORDS, config_of, make_run

SHAPES = {
    "contrast": lambda folder: write_clip_shape(folder, list(WORDS), layers=1),
    "prosody": lambda folder: write_whisper_shape(folder, layers=1),
}
INPUTS = {"contrast": np.zeros((16, 16, 3), np.uint8), "prosody": np.zeros(16_000, np.float32)}


def save(run, folder: Path, step: int, score: float, before: tuple[dict, ...] = ()) -> dict:
    """As the loop saves, without its steps: a state of random numbers; returns its line of the history."""
    rng = np.random.default_rng(step)

    def drawn(leaf) -> jax.Array:
        return jnp.asarray(0.2 * rng.standard_normal(leaf.shape), leaf.dtype)

    state = jax.tree.map(drawn, run.shapes).replace(step=jnp.int32(step))
    entry = {"step": step, "score": score, "scores": {"r2": score}}
    notes = {"format": 1, "config": as_json(run.config), "features": {}, "stats": {}, "versions": {}}
    checkpoints = Checkpoints(folder / "checkpoints", keep_best=1)
    checkpoints.save(state, notes | {"history": [*before, entry]}, score)
    checkpoints.close()
    return entry


@pytest.fixture(scope="module", params=SHAPES)
def trained(request, tmp_path_factory):
    """(run, its folder) of a run whose best checkpoint is not the last."""
    root = tmp_path_factory.mktemp("trained")
    run = make_run(config_of(request.param, SHAPES[request.param](root / "shape")))
    first = save(run, root / "run", 4, 0.75)
    save(run, root / "run", 8, 0.25, (first,))
    return run, root / "run"


def test_the_average_of_the_best_checkpoint_becomes_a_folder_that_loads(trained, tmp_path: Path, capsys):
    run, folder = trained
    assert main(["export", str(folder), "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    written = tmp_path / "out" / "model.safetensors"
    assert f"sha256 {sha256_of(written)}" in told and "r2 0.750 at step 4" in told
    encoder, saved = load(tmp_path / "out"), Saved.find(folder)
    given = jnp.asarray(encoder.preprocess(INPUTS[run.config.task])[None])
    ours = jax.jit(encoder.apply)(encoder.variables, given)
    blank, ema = open_blank(run.config.model.name, jnp.float32), saved.state(run).ema["network"]
    method = {"contrast": "encode_image", "prosody": "__call__"}[run.config.task]
    x = blank.prepare(given)
    out = jax.jit(lambda p: blank.network.apply({"params": p}, x, method=method))(ema)
    wanted = out["image"] if run.config.task == "contrast" else out[-1]
    np.testing.assert_allclose(ours, wanted, atol=5e-3)  # weights were rounded to float16
    with safe_open(written, "np") as file:
        notes = file.metadata()
    assert json.loads(notes["trained"]) == f"abaw_jax, task {run.config.task}, step 4"
    assert json.loads(notes["scores"]) == {"r2": 0.75}


def test_one_steps_checkpoint_of_a_run_without_an_average_gives_its_parameters(tmp_path: Path, capsys):
    config = config_of("prosody", SHAPES["prosody"](tmp_path / "shape"))
    config.optimizer.ema_decay = 0.0
    run = make_run(config)
    save(run, tmp_path / "run", 4, 0.5, before=({"step": 2, "score": 0.9, "scores": {}},))
    assert main(["export", str(tmp_path / "run" / "checkpoints" / "4"), "--out", str(tmp_path / "out")]) == 0
    assert "r2 0.500 at step 4" in capsys.readouterr().out
    wanted = Saved.find(tmp_path / "run").state(run).params["network"]["layer_norm"]["bias"]
    with safe_open(tmp_path / "out" / "model.safetensors", "np") as file:
        found = file.get_tensor("model.encoder.layer_norm.bias")
    np.testing.assert_array_equal(found, np.asarray(wanted, np.float16))


def test_a_run_of_another_task_is_refused_with_those_there_are(monkeypatch, trained, tmp_path: Path, capsys):
    _, folder = trained
    config = Saved.config

    def another(self, changes=()):
        found = config(self, changes).unlock()
        found.task = "va"
        return found.lock()

    monkeypatch.setattr(Saved, "config", another)
    assert main(["export", str(folder), "--out", str(tmp_path / "out")]) == 2
    assert "found a run of task va, expected one of: contrast, prosody" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_run_is_refused(tmp_path: Path, capsys):
    assert main(["export", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "found no checkpoint" in capsys.readouterr().err
