"""What a score on this corpus means: the oracles, the floor and the ceiling, scored as models are."""

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from abaw_jax.corpus.synthetic.cast import Part, Size, cast
from abaw_jax.corpus.synthetic.make import RECORD, Plan, make, update_record, witness
from abaw_jax.corpus.synthetic.oracle import ORACLES, Answer, Witness, ceiling, consult, floor
from abaw_jax.evaluation.intervals import intervals
from abaw_jax.evaluation.scores import Result, evaluate
from abaw_jax.evaluation.table import RowTable
from abaw_jax.evaluation.truth import Truth
from abaw_jax.progress import OnProgress, silent

SCORED = ("va", "expr", "au")

SCHOOL = Size(train=96, validation=0, test=0, seconds=30.0)
"""What oracles learn from: as much as the training split of size `evidence`, however small the corpus."""


def of_split(parts: Sequence[Part], witnesses: Sequence[Witness], split: str) -> list[Witness]:
    """The tracks of one split."""
    return [w for part, w in zip(parts, witnesses, strict=True) if part.split == split]


def school(seed: int) -> list[Witness]:
    """Tracks to learn from that no corpus has."""
    return list(witness(cast(SCHOOL, zlib.crc32(f"school {seed}".encode()))))


def standards(
    train: list[Witness],
    scored: list[Witness],
    learnt_from: list[Witness],
    on_progress: OnProgress = silent,
) -> dict[str, Result]:
    """Every oracle, the floor (the mean of `train`) and the ceiling on the scored tracks."""
    truth = truth_of(scored)
    answers = {"floor": floor(train, scored)}
    for number, (name, oracle) in enumerate(ORACLES.items(), start=1):
        answers[name] = consult(oracle, learnt_from, scored)
        on_progress("oracles", number, len(ORACLES))
    answers["ceiling"] = ceiling(scored)
    return {name: evaluate(table_of(scored, given), truth) for name, given in answers.items()}


def make_scored(
    plan: Plan, on_progress: OnProgress = silent, workers: int | None = None
) -> dict[str, Result]:
    """Make the corpus and keep with it what its scores mean; empty where nothing is learnt or scored."""
    parts, witnesses = plan.parts(), make(plan, on_progress, workers)
    train, scored = (of_split(parts, witnesses, split) for split in ("train", "validation"))
    if not train or not scored:
        return {}
    results = standards(train, scored, school(plan.seed), on_progress)
    record_standards(plan.root, results)
    return results


def read_standards(root: Path) -> dict[str, Any] | None:
    """What is kept with a corpus; None with those that were not made here."""
    record = root / RECORD
    return json.loads(record.read_text()).get("standards") if record.exists() else None


def record_standards(root: Path, results: dict[str, Result]) -> None:
    """Keep the scores with the corpus, beside its plan: `va`, `expr`, `au` with their 95 % intervals."""
    scores = {}
    for name, result in results.items():
        found = intervals(result.statistics)
        scores[name] = {
            task: {"score": found[task].score, "low": found[task].low, "high": found[task].high}
            for task in SCORED
        }
    update_record(root, {"standards": scores})


def truth_of(witnesses: list[Witness]) -> Truth:
    """The annotators' labels as a table."""
    columns = {key: np.concatenate([w.labels[key] for w in witnesses]) for key in witnesses[0].labels}
    return Truth.build(*_rows(witnesses), **columns)


def table_of(witnesses: list[Witness], answers: list[Answer]) -> RowTable:
    """An oracle's answers as predictions."""
    columns = {task: np.concatenate([getattr(answer, task) for answer in answers]) for task in SCORED}
    return RowTable.build(*_rows(witnesses), **columns)


def _rows(witnesses: list[Witness]) -> tuple[list[str], np.ndarray, np.ndarray]:
    lengths = [len(w.affect.va) for w in witnesses]
    track = np.repeat(np.arange(len(lengths)), lengths)
    return [w.name for w in witnesses], track, np.concatenate([np.arange(1, n + 1) for n in lengths])
