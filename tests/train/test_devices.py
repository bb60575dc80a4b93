"""One process or two, one device or eight, copied or cut: the same batches to the bit, the same learning."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.train.conftest import small_config

pytestmark = pytest.mark.full

PROGRAM = """
import hashlib, json, os, signal, sys
from pathlib import Path

import jax
import numpy as np

settings = json.loads(sys.argv[1])
jax.config.update("jax_num_cpu_devices", settings["devices"])
if settings["processes"] > 1:
    address = f"localhost:{settings['port']}"
    jax.distributed.initialize(address, settings["processes"], settings["process"])

from jax.experimental import multihost_utils

from abaw_jax.corpus.cache import open_corpus
from abaw_jax.store.features import Store
from abaw_jax.train.data import Stored
from abaw_jax.train.loop import train
from abaw_jax.train.run import Run
from tests.train.test_devices import config_of, digest

seen, put = [], Run.put

def put_and_look(self, batch):
    batch = put(self, batch)
    if "is_real" not in batch:
        whole = {k: np.asarray(multihost_utils.process_allgather(v, tiled=True)) for k, v in batch.items()}
        seen.append(digest(whole))
        if settings["stop_at"] == len(seen) and jax.process_index() == settings["processes"] - 1:
            os.kill(os.getpid(), signal.SIGTERM)
    return batch

Run.put = put_and_look
root, workdir = Path(settings["root"]), Path(settings["workdir"])
corpus = open_corpus(root / "corpus", cache_dir=root)
features = {folder.spec.name: folder for folder in Store(root / "features").folders()}
run = Run.of(config_of(settings), Stored(corpus, features))
outcome = train(run, workdir)
if jax.process_index() == 0:
    cut = [str(place.spec) for place in jax.tree.leaves(run.places.params)]
    shown = {"batches": seen, "cut": sorted(set(cut)), "step": outcome.step}
    Path(settings["out"]).write_text(json.dumps(shown))
"""
STEPS = 50


def config_of(settings: dict):
    """Learning that is as plain as can be, so that rounding alone may differ."""
    config = small_config()
    config.train.steps, config.train.eval_every, config.train.log_every = settings["steps"], 25, 1
    config.train.resident = settings["resident"]
    if settings["is_cut"]:
        config.train.sharding = (("embed|layer", "fsdp"), ("", "replicate"))
    return config


def digest(batch: dict[str, np.ndarray]) -> list[str]:
    """Of every row of a batch."""
    rows = len(batch["track"])
    parts = [[np.ascontiguousarray(value[row]).tobytes() for row in range(rows)] for value in batch.values()]
    return [hashlib.sha256(b"".join(row)).hexdigest()[:16] for row in zip(*parts, strict=True)]


def launch(root: Path, out: Path, workdir: Path, *, devices=1, processes=1, is_cut=False, resident=False,
           steps=STEPS, stop_at=0) -> dict:  # fmt: skip
    """What the first process wrote."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    settings = {
        "root": str(root), "workdir": str(workdir), "out": str(out), "port": port, "steps": steps,
        "devices": devices, "processes": processes, "is_cut": is_cut, "resident": resident,
        "stop_at": stop_at,
    }  # fmt: skip
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(root / f"xla-{processes}"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(settings | {"process": number})],
            stderr=subprocess.PIPE, text=True, env=os.environ | cache,
        )
        for number in range(processes)
    ]  # fmt: skip
    said = [process.communicate(timeout=400)[1] for process in running]
    assert [process.returncode for process in running] == [0] * processes, said
    return json.loads(out.read_text())


def losses(workdir: Path) -> np.ndarray:
    read = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return np.array([line["loss"] for line in read if "loss" in line])


KINDS = {
    "eight devices": {"devices": 8},
    "eight devices, cut": {"devices": 8, "is_cut": True},
    "two processes": {"processes": 2},
    "two processes of two devices, cut": {"processes": 2, "devices": 2, "is_cut": True},
    "resident": {"resident": True},
    "resident on two processes": {"resident": True, "processes": 2},
}


@pytest.fixture(scope="module")
def alone(learnable, tmp_path_factory):
    """(root, what it saw, workdir) of one process on one device."""
    root, folder = learnable.corpus.root.parent, tmp_path_factory.mktemp("alone")
    return root, launch(root, folder / "out.json", folder / "run"), folder / "run"


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_the_same_rows_and_losses_the_same_numbers(kind: str, alone, tmp_path: Path):
    root, wanted, workdir = alone
    found = launch(root, tmp_path / "out.json", tmp_path / "run", **KINDS[kind])
    if not KINDS[kind].get("resident"):  # there, test_resident compares to the bit
        assert len(found["batches"]) == STEPS
        assert found["batches"] == wanted["batches"]
    assert any("data" in spec for spec in found["cut"]) == KINDS[kind].get("is_cut", False)
    ours, theirs = losses(tmp_path / "run"), losses(workdir)
    assert len(ours) == len(theirs) == STEPS
    np.testing.assert_allclose(ours[:10], theirs[:10], rtol=1e-5)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


@pytest.mark.parametrize("later", [{}, {"processes": 2}], ids=["one", "two processes"])
@pytest.mark.parametrize("is_cut", [False, True], ids=["copied", "cut"])
def test_begun_on_eight_devices_it_goes_on_elsewhere(later: dict, is_cut: bool, alone, tmp_path: Path):
    root, wanted, workdir = alone
    begun = launch(root, tmp_path / "out.json", tmp_path / "run", devices=8, steps=STEPS, is_cut=is_cut)
    assert begun["batches"] == wanted["batches"]
    shutil.rmtree(tmp_path / "run" / "checkpoints" / str(STEPS))  # as if it had ended half way
    found = launch(root, tmp_path / "out.json", tmp_path / "run", is_cut=is_cut, **later)
    assert found["batches"] == wanted["batches"][STEPS // 2 :]
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(workdir), rtol=1e-4)


def test_one_process_is_asked_to_stop_and_both_stop_at_the_same_step(alone, tmp_path: Path):
    root, wanted, workdir = alone
    stopped = launch(root, tmp_path / "out.json", tmp_path / "run", processes=2, stop_at=7)
    assert stopped["step"] == 9  # said at the next step, heard at the one after
    found = launch(root, tmp_path / "out.json", tmp_path / "run", processes=2)
    assert stopped["batches"] + found["batches"] == wanted["batches"]
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(workdir), rtol=1e-4)
