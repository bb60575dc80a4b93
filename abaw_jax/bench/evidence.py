"""Whether two modalities beat each alone: the flagship trained for every task, seed and choice of streams.

Each run is the front door's own command in a process of its own; a run that is done is not made again, so
that the same command goes on where it was stopped. Needs an hour or two on two cores.
"""

import argparse
import itertools
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean

from abaw_jax.bench.timing import report
from abaw_jax.report.card import NAME, read_card
from abaw_jax.report.standards import landmarks, way

ABAW = "import sys; from abaw_jax.cli import main; sys.exit(main())"
TASKS = ("va", "expr", "au", "mtl")
STREAMS = {"both": "('video', 'audio')", "video": "('video',)", "audio": "('audio',)"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs, where, and flags for all of them."""
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS), help="(all)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/evidence"), help="(%(default)s)")
    parser.add_argument("--config", nargs="*", default=[], metavar="KEY=VALUE", help="more keys to set")


def run(rounds: int, tasks: list[str], seeds: list[int], out: Path, config: list[str]) -> None:
    """Train what lacks, compare, and say the smallest lead; rounds are the seeds."""
    keys = ["synthetic.size=evidence", *config]
    for task, seed, streams in itertools.product(tasks, seeds, STREAMS):
        _train(out, task, seed, streams, keys)
    leads = []
    for task, alone in itertools.product(tasks, ("audio", "video")):
        found = [_lead(out, task, seed, alone) for seed in seeds]
        told = "; ".join(
            f"{c['difference']:+.3f} [{c['low']:+.3f}, {c['high']:+.3f}] p {c['p_value']:.3f}" for c in found
        )
        print(f"{task}: both minus {alone}: {told}")
        leads += found
    ways = {task: [_way(out, task, seed) for seed in seeds] for task in tasks}
    for task, shares in ways.items():
        told = ", ".join(f"{share:.0%}" for share in shares)
        print(f"{task}: {told} of the way from floor to what the oracle of both reaches")
    cells = list(itertools.product(tasks, seeds))
    ours = mean(_score(out, *cell, "both") for cell in cells)
    theirs = mean(max(_score(out, *cell, alone) for alone in ("audio", "video")) for cell in cells)
    more = {"least_lead": round(min(lead["low"] for lead in leads), 4)}
    more |= {"least_way": round(min(min(shares) for shares in ways.values()), 3)}
    report("evidence", ours, theirs, "mean score; the better one alone", ours / theirs, **more)


def _folder(out: Path, task: str, seed: int, streams: str) -> Path:
    return out / f"{task}-{streams}-{seed}"


def _train(out: Path, task: str, seed: int, streams: str, keys: list[str]) -> None:
    workdir = _folder(out, task, seed, streams)
    if (workdir / NAME).is_file():
        print(f"{workdir}: done", flush=True)
        return
    words = [f"--config=configs/{task}.py", f"--workdir={workdir}", f"--config.streams={STREAMS[streams]}"]
    words += [f"--config.seed={seed}", *(f"--config.{key}" for key in keys)]
    print(f"{workdir}: training", flush=True)
    subprocess.run([sys.executable, "-m", "abaw_jax.main", *words], check=True, stdout=subprocess.DEVNULL)


def _score(out: Path, task: str, seed: int, streams: str) -> float:
    return read_card(_folder(out, task, seed, streams) / NAME)["score"]["value"]


def _way(out: Path, task: str, seed: int) -> float:
    card = read_card(_folder(out, task, seed, "both") / NAME)
    marks = landmarks(card["standards"], task)
    return way(card["score"]["value"], marks.floor, marks.oracle) or 0.0


def _lead(out: Path, task: str, seed: int, alone: str) -> dict[str, float]:
    """`abaw compare` of both streams with one: the task's score, paired over tracks."""
    cards = [read_card(_folder(out, task, seed, streams) / NAME) for streams in ("both", alone)]
    rows = [card["files"]["rows"] for card in cards]
    words = ["compare", *rows, "--corpus", cards[0]["corpus"], "--task", task, "--json"]
    asked = [sys.executable, "-c", ABAW, *words]
    return json.loads(subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout)[task]
