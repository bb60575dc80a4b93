"""How a run ends: the best checkpoint scored, its card, two pictures, and what a person wants to know."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from abaw_jax.corpus.synthetic.standard import read_standards
from abaw_jax.report import card as cards
from abaw_jax.report.standards import landmarks
from abaw_jax.store.writer import write_json
from abaw_jax.train.judge import Judged, Member, judge
from abaw_jax.train.run import Run
from abaw_jax.train.saved import Saved
from abaw_jax.train.state import count
from abaw_jax.train.writer import TIMINGS

CODE = (".", "../configs")
"""What a run depends on, from where the package lies."""
CURVE, TRACK = "learning_curve.png", "trajectory.png"


def finish(run: Run, workdir: Path, name: str, flags: Sequence[str] = ()) -> dict[str, Any]:
    """The card, once all that is left to do after the last step is done; one process writes and draws."""
    saved = Saved.find(workdir)
    if card := finished(workdir, saved.step):
        return card
    judged = judge([Member(saved, run)], "validation")
    card = make_card(saved, run, judged, name) | {"flags": list(flags)}
    if jax.process_index() == 0:
        draw(card, judged, workdir)
        write_json(workdir / cards.NAME, card)
    return card


def finished(workdir: Path, step: int) -> dict[str, Any] | None:
    """The card that is there, of this checkpoint and with all that it names."""
    path = workdir / cards.NAME
    if not path.is_file():
        return None
    card = cards.read_card(path)
    is_whole = all(Path(file).exists() for file in card["files"].values())
    return card if card.get("step") == step and is_whole else None


def make_card(saved: Saved, run: Run, judged: Judged, name: str) -> dict[str, Any]:
    """What `abaw_jax.report.card` describes."""
    config, found = run.config, judged.intervals
    standards = None if config.fold else read_standards(Path(run.data.corpus.root))  # of the official split
    score, workdir = found[run.task.score], saved.run_folder
    return {
        "config": name,
        "task": config.task,
        "seed": config.seed,
        "corpus": str(run.data.corpus.root),
        "has_test": any((task, split) == (config.task, "test") for task, _, split in run.data.corpus.splits),
        "streams": {stream: config[stream].to_dict() for stream in config.streams},
        "score": {"name": run.task.score, "value": score.score, "low": score.low, "high": score.high},
        "intervals": {key: {"score": i.score, "low": i.low, "high": i.high} for key, i in found.items()},
        "rows": len(judged.table),
        "tracks": len(judged.table.tracks),
        "parameters": count(run.shapes.params),
        "seconds": training_seconds(workdir / "metrics.jsonl"),
        "step": saved.step,
        "steps": config.train.steps,
        "commit": commit(),
        "standards": standards,
        "fold": config.fold,
        "workdir": str(workdir),
        "files": {
            "learning curve": str(workdir / CURVE),
            "trajectory": str(workdir / TRACK),
            "rows": str(judged.out / "rows.parquet"),
            "checkpoints": str(workdir / "checkpoints"),
        },
    }


def draw(card: cards.Card, judged: Judged, workdir: Path) -> None:
    """The learning curve, and one track against its labels."""
    import matplotlib as mpl  # half a second that other runs need not pay

    mpl.use("agg")
    from abaw_jax.report.curves import learning_curve, trajectory

    marks, score = landmarks(card["standards"], card["task"]), card["score"]["name"]
    learning_curve(workdir / "metrics.jsonl", workdir / CURVE, score, marks.floor, marks.ceiling)
    trajectory(judged.table, judged.truth, workdir / TRACK)


def training_seconds(metrics: Path) -> float:
    """Until the last evaluation, of all processes that worked on the run, each from its first look at it."""
    total, last = 0.0, 0.0
    for line in metrics.read_text(encoding="utf-8").splitlines():
        seconds = json.loads(line).get(f"{TIMINGS}seconds", last)
        if seconds < last:  # in an old log, where every process began from zero
            total += last
        last = seconds
    return total + last


def commit() -> str | None:
    """Of the code that ran, with a plus where it was changed since; None outside a repository."""
    here = Path(__file__).parent

    def ask(*words: str) -> str:
        asked = subprocess.run(["git", "-C", here, *words], capture_output=True, text=True, check=True)
        return asked.stdout.strip()

    try:
        changed = ask("status", "--porcelain", "-uno", "--", *CODE)
        return ask("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
