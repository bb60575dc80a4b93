"""Steps a second of the training loop, against its own compiled step on a batch that is there already.

Streamed: batches are read, put onto the device and logged. Resident: features stay on the device. Then the
time from the command to the first logged step, with an empty compile cache and with a warm one.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from abaw_jax.bench.cached import make
from abaw_jax.bench.timing import report, spread
from abaw_jax.corpus.synthetic.cast import Size
from abaw_jax.corpus.synthetic.make import Plan
from abaw_jax.corpus.synthetic.make import make as make_corpus
from abaw_jax.defaults import get_config
from abaw_jax.train.loop import train
from abaw_jax.train.run import Run

LOG_EVERY = 10
CONFIG = """
from abaw_jax.defaults import get_config as defaults


def get_config():
    config = defaults()
    config.video.encoder, config.audio.encoder = "colours", "logmel"
    config.train.log_every = 1
    return config
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be asked for."""
    parser.add_argument("--steps", type=int, default=60, help="a measurement (%(default)s)")
    parser.add_argument("--width", type=int, default=128, help="of the flagship (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="that read batches (%(default)s)")


def run(rounds: int, steps: int, width: int, threads: int) -> None:
    """Loop and bare step in turn, streamed and resident."""
    rates: dict[str, list[float]] = {}
    waiting: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = make(root, tracks=20, rows=1500)
        runs = {name: Run.of(_config(steps, width, threads, name), data) for name in ("streamed", "resident")}
        for number in range(rounds + 1):  # the first to warm up
            for name, run in runs.items():
                found = {"loop": loop(run, root / f"{name}-{number}", waiting), "bare": bare(run, steps)}
                for side, rate in found.items():
                    if number:
                        rates.setdefault(f"{name} {side}", []).append(rate)
                        print(f"round {number} of {rounds}: {name} {side} {rate:.2f} steps/s", flush=True)
        first = first_step(root)
    for name, values in rates.items():
        print(f"{name}: {spread(values)} steps a second")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    shares = {name: medians[f"{name} loop"] / medians[f"{name} bare"] for name in runs}
    for name, share in shares.items():
        print(f"{name}: the loop has {share:.1%} of the bare step's speed")
    print(f"waiting for data, streamed: {statistics.median(waiting):.2%} of the time")
    print("from command to first step: {cold:.1f} s cold, {warm:.1f} s with a warm cache".format(**first))
    report(
        "train", medians["streamed loop"], medians["streamed bare"], "steps a second", shares["streamed"],
        resident=round(shares["resident"], 4), waiting=round(statistics.median(waiting), 4),
        first_step_cold_s=round(first["cold"], 1), first_step_warm_s=round(first["warm"], 1),
    )  # fmt: skip


def _config(steps: int, width: int, threads: int, name: str) -> ConfigDict:
    config = get_config()
    config.model.width = width
    config.train.steps = config.train.eval_every = steps
    config.train.log_every, config.train.threads, config.train.resident = (
        LOG_EVERY,
        threads,
        name == "resident",
    )
    return config


def loop(run: Run, workdir: Path, waiting: list[float]) -> float:
    """Steps a second between the first and the last line shown: compiling lies before, scoring behind."""
    seen: list[tuple[int, float]] = []

    def show(stage: str, done: int, total: int | None, note: str = "") -> None:
        if stage != "training":
            return
        seen.append((done, time.perf_counter()))
        if not run.config.train.resident:
            waiting.append(float(note.rpartition(" ")[2].rstrip("%")) / 100)

    train(run, workdir, show)
    (first, began), (last, ended) = seen[0], seen[-1]
    return (last - first) / (ended - began)


def bare(run: Run, steps: int) -> float:
    """Steps a second where nothing else is done."""
    chunk, scale = next(iter(run.chunks(0))), np.float32(1)
    state, _ = run.advance(run.fresh(), chunk, scale)
    jax.block_until_ready(state)
    calls = steps // chunk.steps
    began = time.perf_counter()
    for _ in range(calls):
        state, _ = run.advance(state, chunk, scale)
    jax.block_until_ready(state)
    return calls * chunk.steps / (time.perf_counter() - began)


def first_step(root: Path) -> dict[str, float]:
    """Seconds from the command to its first logged step, features being there."""
    make_corpus(Plan(root / "corpus", Size(train=4, validation=2, test=0, seconds=10.0)))
    (root / "config.py").write_text(CONFIG)
    line = [sys.executable, "-m", "abaw_jax.main", "--config=config.py", "--config.corpus.root=corpus"]
    env = os.environ | {"XDG_CACHE_HOME": str(root / "cache")}
    subprocess.run([*line, "--mode=extract"], cwd=root, env=env, check=True, capture_output=True)
    shutil.rmtree(root / "cache" / "abaw_jax" / "compiled", ignore_errors=True)
    return {
        kind: _until_first_line([*line, f"--workdir={kind}"], root, env, kind) for kind in ("cold", "warm")
    }


def _until_first_line(line: list[str], root: Path, env: dict[str, str], kind: str) -> float:
    log, began = root / kind / "metrics.jsonl", time.perf_counter()
    process = subprocess.Popen(
        line, cwd=root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while not (log.exists() and log.stat().st_size):
        if process.poll() is not None:
            raise RuntimeError(f"{' '.join(line)} ended before its first step: {process.stderr.read()}")
        time.sleep(0.02)
    passed = time.perf_counter() - began
    process.kill()
    process.wait()
    return passed
