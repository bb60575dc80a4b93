"""Killed anywhere and started again, the job ends as if nobody had touched it, and repeats nothing."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
KILLS = 10


def command(corpus: Path, encoders: dict[str, Path], store: Path) -> list[str]:
    return [
        sys.executable, "-m", "abaw_jax.main", "--config=configs/va.py", "--mode=extract",
        f"--config.corpus.root={corpus}", f"--config.store.root={store}",
        f"--config.video.encoder={encoders['clip']}", f"--config.audio.encoder={encoders['whisper']}",
        "--config.extract.batch_size=1", "--config.extract.audio_batch_size=1",
    ]  # fmt: skip


def finish(line: list[str], env: dict[str, str]) -> None:
    subprocess.run(line, cwd=ROOT, env=env, check=True, capture_output=True)


def digest(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def committed(store: Path) -> dict[str, tuple[int, int]]:
    """Tracks that count, and which files on disk they are."""
    found = {}
    for manifest in store.glob("*/*.json"):
        if manifest.name != "spec.json" and not manifest.name.startswith("."):
            vectors = manifest.with_suffix(".npy")
            found[str(manifest)] = (manifest.stat().st_ino, vectors.stat().st_ino)
    return found


def run_until(store: Path, tracks: int, delay_s: float, line: list[str], env: dict[str, str]) -> bool:
    """Start, kill once so many more tracks are there and a moment has passed; False if it was done before."""
    before = len(committed(store)) if store.exists() else 0
    process = subprocess.Popen(line, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        begun = any(store.glob("*/.*.tmp")) or tracks
        if begun and len(committed(store)) - before >= tracks:
            time.sleep(delay_s)
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    return process.wait() != 0


@pytest.mark.full
def test_ten_kills_change_nothing_and_no_committed_track_is_made_twice(
    tiny_root: Path, encoders, tmp_path: Path
):
    env = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    subprocess.run(
        command(tiny_root, encoders, undisturbed), cwd=ROOT, env=env, check=True, capture_output=True
    )
    rng, kills, kept = random.Random(0), 0, {}
    while kills < KILLS:
        tracks = rng.choice([0, 1, 2, 3]) if kills else 0
        is_killed = run_until(killed, tracks, rng.uniform(0, 0.05), command(tiny_root, encoders, killed), env)
        now = committed(killed)
        assert {track: now[track] for track in kept} == kept, "a committed track was made again"
        kept = now
        if not is_killed:  # done before the kill: begin anew, what was shown so far stands
            assert digest(killed) == digest(undisturbed)
            for path in killed.rglob("*"):
                if path.is_file():
                    path.unlink()
            kept = {}
            continue
        kills += 1
    finish(command(tiny_root, encoders, killed), env)
    assert {track: committed(killed)[track] for track in kept} == kept
    assert digest(killed) == digest(undisturbed)


def test_one_device_or_eight_give_the_same_features(tiny_root: Path, encoders, tmp_path: Path):
    stores = {}
    for devices, batch in (("1", "1"), ("8", "16")):
        env = os.environ | {"JAX_NUM_CPU_DEVICES": devices, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        stores[devices] = tmp_path / devices
        line = command(tiny_root, encoders, stores[devices])
        finish([*line, f"--config.extract.batch_size={batch}"], env)
    for path in stores["1"].glob("*/*.npy"):
        other = stores["8"] / path.relative_to(stores["1"])
        np.testing.assert_allclose(np.load(path), np.load(other), atol=2e-3, rtol=2e-3)
