"""A disk that is full, a folder that refuses: said in one line, and what was whole stays whole."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
from pathlib import Path

import jax
import jax.numpy as jnp
import optax

from abaw_jax.train.checkpoint import Checkpoints
from abaw_jax.train.state import fresh

folder, first, stop, width, user = Path(sys.argv[1]), *map(int, sys.argv[2:])
kernel = jax.random.normal(jax.random.key(0), (width, 64))
state = fresh({"params": {"kernel": kernel}}, optax.MultiSteps(optax.sgd(0.1), 1), True)
if user:
    os.setegid(user)
    os.seteuid(user)  # root may write anywhere: go on as somebody who may not
try:
    checkpoints = Checkpoints(folder, keep_best=1)
    try:
        for step in range(first, stop):
            checkpoints.save(state.replace(step=jnp.asarray(step, jnp.int32)), {"history": []}, 0.1 * step)
    finally:
        checkpoints.close()
except (OSError, ValueError) as error:
    sys.exit(f"train: {error}")
"""
NOBODY = 65534


def save(folder: Path, first: int, stop: int, width: int = 64, user: int = 0) -> subprocess.CompletedProcess:
    line = [sys.executable, "-c", PROGRAM, str(folder), *map(str, (first, stop, width, user))]
    return subprocess.run(line, capture_output=True, text=True, timeout=120)


def steps(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())


@pytest.fixture
def small_disk(tmp_path: Path):
    """Of four megabytes."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("needs the right to mount a tmpfs")
    line = [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no tmpfs here: {done.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_full_disk_is_said_and_the_last_whole_checkpoint_stays(small_disk: Path):
    folder = small_disk / "checkpoints"
    assert save(folder, 1, 3).returncode == 0
    (small_disk / "filler").write_bytes(os.urandom(3_000_000))
    failed = save(folder, 3, 6, width=4096)  # 2 MB of numbers that nothing compresses
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith(f"train: {folder}: not written: No space left on device")
    assert "the newest one that is whole is of step 2" in failed.stderr
    assert steps(folder) == [1, 2]
    (small_disk / "filler").unlink()
    assert save(folder, 3, 5).returncode == 0
    assert {3, 4} <= set(steps(folder))


def test_a_folder_that_refuses_writes_is_said_and_stays_as_it_was(tmp_path_factory):
    folder = (
        Path("/var/tmp" if os.geteuid() == 0 else tmp_path_factory.mktemp("disk")) / f"refuses-{os.getpid()}"
    )
    try:
        assert save(folder, 1, 3).returncode == 0
        before = sorted(str(path) for path in folder.rglob("*"))
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        failed = save(folder, 3, 4, user=NOBODY if os.geteuid() == 0 else 0)
        assert failed.returncode == 1, "somebody may write here"
        assert f"train: {folder}: not written: Permission denied" in failed.stderr
        assert "the newest one that is whole is of step 2" in failed.stderr
        assert sorted(str(path) for path in folder.rglob("*")) == before
        assert json.loads((folder / "2" / "_CHECKPOINT_METADATA").read_text())
    finally:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        shutil.rmtree(folder)
