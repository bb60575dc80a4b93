"""Whether what a system is made of does something: its modalities against each alone, its words against none.

Each run is the front door's own command in a process of its own; a run that is done is not made again, so
that the same command goes on where it was stopped. Needs an hour or two on two cores.
"""

import argparse
import importlib.util
import itertools
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean

import jax
from ml_collections import ConfigDict

from abaw_jax.bench.timing import report
from abaw_jax.defaults import by_modality
from abaw_jax.extract.command import open_job
from abaw_jax.inputs.loader import evaluation_batches
from abaw_jax.report.card import NAME, read_card
from abaw_jax.report.standards import landmarks, way
from abaw_jax.train.data import Stored
from abaw_jax.train.run import Run
from abaw_jax.train.saved import Saved

ABAW = "import sys; from abaw_jax.cli import main; sys.exit(main())"
FLAGSHIP = ("va", "expr", "au", "mtl")
WHOLE = "both"
"""A system as its config has it; the others lack something."""
NO_WORDS = "no-words"
OWN = ("seed=", "streams=", "text.share=", "fold=")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs, where, and flags for all of them."""
    parser.add_argument(
        "--configs", nargs="+", default=list(FLAGSHIP), help="as va, or masked_transformer:va"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/evidence"), help="(%(default)s)")
    parser.add_argument("--config", nargs="*", default=[], metavar="KEY=VALUE", help="more keys to set")


def run(rounds: int, configs: list[str], seeds: list[int], out: Path, config: list[str]) -> None:
    """Train what lacks, compare, and say the smallest lead; `rounds` is every benchmark's, here are seeds."""
    if refused := [key for key in config if key.startswith(OWN)]:
        raise SystemExit(f"evidence: --config {refused[0]}: is set for each run, or makes them incomparable")
    keys = ["synthetic.size=evidence", *config]
    parts = {name: parts_of(open_config(name)) for name in configs}
    for seed, name in itertools.product(seeds, configs):
        for part, flags in parts[name].items():
            _train(out, name, part, seed, [*keys, *flags])
    leads: list[float] = []
    for name in configs:
        for part in parts[name]:
            if part != WHOLE:
                found = [_lead(out, name, part, seed) for seed in seeds]
                told = "; ".join(
                    f"{c['difference']:+.3f} [{c['low']:+.3f}, {c['high']:+.3f}] p {c['p_value']:.3f}"
                    for c in found
                )
                print(f"{name}: as it is minus {part}: {told}")
                leads += [lead["low"] for lead in found if part != NO_WORDS]
            if part == NO_WORDS:
                fits = zip(*(_words_losses(out, name, seed) for seed in seeds), strict=True)
                with_words, without = (", ".join(f"{loss:.3f}" for loss in losses) for losses in fits)
                print(f"{name}: the words' own loss on validation: {with_words}; learnt without: {without}")
    ways = {name: [_way(out, name, seed) for seed in seeds] for name in configs}
    for name, shares in ways.items():
        told = ", ".join(f"{share:.0%}" for share in shares)
        above = min(_above_floor(out, name, seed) for seed in seeds)
        print(
            f"{name}: {told} of the way from floor to oracle; its lower end is {above:+.3f} above the floor"
        )
    cells = list(itertools.product(configs, seeds))
    ours = mean(_score(out, name, WHOLE, seed) for name, seed in cells)
    theirs = mean(_best_alone(out, name, parts[name], seed) for name, seed in cells)
    more = {"least_lead": round(min(leads), 4)} if leads else {}
    more |= {"least_way": round(min(min(shares) for shares in ways.values()), 3)}
    report("evidence", ours, theirs, "mean score; the better modality alone", ours / theirs, **more)


def open_config(name: str) -> ConfigDict:
    """Of a file in `configs`, with its variant."""
    stem, _, variant = name.partition(":")
    spec = importlib.util.spec_from_file_location(stem, Path("configs") / f"{stem}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(variant) if variant else module.get_config()


def parts_of(config: ConfigDict) -> dict[str, list[str]]:
    """The whole, each modality of several alone, and what has words without them: the flags of each."""
    parts: dict[str, list[str]] = {WHOLE: []}
    modalities = by_modality(config)
    if len(modalities) > 1:
        parts |= {part: [f"streams={streams}"] for part, streams in modalities.items()}
    return parts | ({NO_WORDS: ["text.share=0.0"]} if config.text.prompts != "none" else {})


def _folder(out: Path, name: str, part: str, seed: int) -> Path:
    return out / f"{name.replace(':', '_')}-{part}-{seed}"


def _train(out: Path, name: str, part: str, seed: int, keys: list[str]) -> None:
    workdir = _folder(out, name, part, seed)
    if (workdir / NAME).is_file():
        print(f"{workdir}: done", flush=True)
        return
    stem, colon, variant = name.partition(":")
    words = [f"--config=configs/{stem}.py{colon}{variant}", f"--workdir={workdir}"]
    words += [f"--config.seed={seed}", *(f"--config.{key}" for key in keys)]
    print(f"{workdir}: training", flush=True)
    subprocess.run([sys.executable, "-m", "abaw_jax.main", *words], check=True, stdout=subprocess.DEVNULL)


def _card(out: Path, name: str, part: str, seed: int) -> dict:
    return read_card(_folder(out, name, part, seed) / NAME)


def _score(out: Path, name: str, part: str, seed: int) -> float:
    return _card(out, name, part, seed)["score"]["value"]


def _best_alone(out: Path, name: str, parts: dict[str, list[str]], seed: int) -> float:
    """Of a system of one modality it is the system."""
    alone = [part for part in parts if part not in (WHOLE, NO_WORDS)]
    return max(_score(out, name, part, seed) for part in alone or [WHOLE])


def _way(out: Path, name: str, seed: int) -> float:
    card = _card(out, name, WHOLE, seed)
    marks = landmarks(card["standards"], card["task"])
    return way(card["score"]["value"], marks.floor, marks.oracle) or 0.0


def _above_floor(out: Path, name: str, seed: int) -> float:
    """The lower end of the score's interval against what says the mean of every row."""
    card = _card(out, name, WHOLE, seed)
    return card["score"]["low"] - (landmarks(card["standards"], card["task"]).floor or 0.0)


def _words_losses(out: Path, name: str, seed: int) -> list[float]:
    """What the whole's term of words says of it, and of the run without words: low is close."""
    whole, without = (Saved.find(_folder(out, name, part, seed)) for part in (WHOLE, NO_WORDS))
    config = whole.config()
    corpus, job = open_job(config)
    run = Run.of(config, Stored(corpus, {s.name: s.features for s in job.streams}), whole.stats)
    sides = [saved.state(run).evaluated for saved in (whole, without)]
    held, losses, found = run.validation, jax.jit(run.task.losses), []
    for batch in evaluation_batches(held.source, held.plan, config.train.batch_size):
        if batch["is_real"].all():  # the last one repeats its last window
            given = run.put(batch)
            found.append([float(losses(variables, given)["words"]) for variables in sides])
    return [mean(side) for side in zip(*found, strict=True)]


def _lead(out: Path, name: str, part: str, seed: int) -> dict[str, float]:
    """`abaw compare` of the whole with a part: the task's score, paired over tracks."""
    cards = [_card(out, name, which, seed) for which in (WHOLE, part)]
    rows, task = [card["files"]["rows"] for card in cards], cards[0]["task"]
    words = ["compare", *rows, "--corpus", cards[0]["corpus"], "--task", task, "--json"]
    asked = [sys.executable, "-c", ABAW, *words]
    return json.loads(subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True).stdout)[task]
