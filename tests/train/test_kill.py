"""Killed without warning, at steps, at an epoch's edge, while scoring and while saving: nothing changes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.full

PROGRAM = """
import json, os, signal, sys
from pathlib import Path

import jax, numpy as np

from abaw_jax.corpus.cache import open_corpus
from abaw_jax.store.features import Store
from abaw_jax.train.checkpoint import Checkpoints, as_target
from abaw_jax.train.data import Stored
from abaw_jax.train.loop import train
from abaw_jax.train.run import Run
from tests.train.conftest import small_config

root, workdir, kind, number = sys.argv[1:]
root, workdir, number = Path(root), Path(workdir), int(number)
seen = {"step": 0, "evaluate": 0, "save": 0}

def count(name, act):
    def counted(self, *args):
        seen[name] += not (name == "step" and "is_real" in args[0])
        result = act(self, *args)
        if (name, seen[name]) == (kind, number):
            os.kill(os.getpid(), signal.SIGKILL)  # an asynchronous save is under way
        return result
    return counted

Run.put, Run.evaluate = count("step", Run.put), count("evaluate", Run.evaluate)
Checkpoints.save = count("save", Checkpoints.save)
corpus = open_corpus(root / "corpus", cache_dir=root)
features = {folder.spec.name: folder for folder in Store(root / "features").folders()}
run = Run.of(small_config(streams=("video", "audio")), Stored(corpus, features))
train(run, workdir)
checkpoints = Checkpoints(workdir / "checkpoints", run.config.train.keep_best)
state = checkpoints.latest(as_target(run.shapes, run.places))
np.savez(workdir / "end.npz", *jax.tree.leaves(state.state))
kept = {"history": state.notes["history"], "steps": checkpoints.steps(), "windows": len(run.training[0].plan)}
(workdir / "end.json").write_text(json.dumps(kept))
checkpoints.close()
"""
POINTS = [("step", n) for n in (1, 4, 6, 7, 13, 20, 24)] + [("evaluate", 1), ("evaluate", 3)]
POINTS += [("save", 1), ("save", 2), ("save", 4)]


def finish(root: Path, workdir: Path, kind: str = "never", number: int = 0) -> int:
    line = [sys.executable, "-c", PROGRAM, str(root), str(workdir), kind, str(number)]
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(root / "xla"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    done = subprocess.run(line, capture_output=True, text=True, env=os.environ | cache)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-2000:]
    return done.returncode


def end_of(workdir: Path) -> tuple[list[np.ndarray], dict, list[dict]]:
    """(arrays, history and kept steps, log without timings)"""
    with np.load(workdir / "end.npz") as arrays:
        leaves = [arrays[name] for name in arrays.files]
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    log = [{k: v for k, v in line.items() if not k.startswith("time/")} for line in lines]
    return leaves, json.loads((workdir / "end.json").read_text()), log


@pytest.fixture(scope="module")
def undisturbed(learnable, tmp_path_factory) -> tuple[Path, Path]:
    root = learnable.corpus.root.parent
    workdir = tmp_path_factory.mktemp("undisturbed")
    assert finish(root, workdir) == 0
    return root, workdir


def test_the_points_cover_an_epochs_edge(undisturbed):
    windows = end_of(undisturbed[1])[1]["windows"]
    edges = {-(-windows * epoch // 8) for epoch in range(1, 5)}  # steps of eight windows
    assert edges & {number for kind, number in POINTS if kind == "step"}, edges


@pytest.mark.parametrize(("kind", "number"), POINTS)
def test_a_kill_changes_nothing(kind: str, number: int, undisturbed, tmp_path: Path):
    root, workdir = undisturbed
    assert finish(root, tmp_path, kind, number) == -signal.SIGKILL
    assert finish(root, tmp_path) == 0
    ours, wanted = end_of(tmp_path), end_of(workdir)
    assert len(ours[0]) == len(wanted[0])
    for a, b in zip(ours[0], wanted[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert ours[1:] == wanted[1:]


def test_kill_after_kill_changes_nothing(undisturbed, tmp_path: Path):
    root, workdir = undisturbed
    for kind, number in (("step", 5), ("save", 1), ("step", 9), ("evaluate", 1), ("step", 2)):
        assert finish(root, tmp_path, kind, number) == -signal.SIGKILL
    assert finish(root, tmp_path) == 0
    ours, wanted = end_of(tmp_path), end_of(workdir)
    for a, b in zip(ours[0], wanted[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert ours[1:] == wanted[1:]
