"""`--mode=evaluate` and `--mode=predict`: what a checkpoint says of a split, and how well."""

import csv
import dataclasses
import functools
import hashlib
import io
import json
import shlex
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from abaw_jax.corpus.splits import LeakWarning, folds
from abaw_jax.evaluation import files
from abaw_jax.evaluation.intervals import Interval, intervals
from abaw_jax.evaluation.scores import Result, Scores, evaluate
from abaw_jax.evaluation.statistics import Statistics
from abaw_jax.evaluation.table import RowTable
from abaw_jax.evaluation.truth import Truth
from abaw_jax.evaluation.tuning import Tuned, tune_smoothing, tune_thresholds
from abaw_jax.labels import WIDTHS
from abaw_jax.progress import OnProgress, silent
from abaw_jax.terminal import progress
from abaw_jax.train.data import Part
from abaw_jax.train.finishing import finished, joined
from abaw_jax.train.run import Run
from abaw_jax.train.saved import Saved, check_features
from abaw_jax.train.state import State


@dataclasses.dataclass(frozen=True, eq=False)
class Member:
    """A checkpoint, and the run that it is of; several of them make an ensemble."""

    saved: Saved
    run: Run

    @functools.cached_property
    def state(self) -> State:
        """The arrays, once the features are known to be those it was trained on."""
        check_features(self.saved.notes, self.run.specs, self.saved.run_folder)
        return self.saved.state(self.run)

    def __str__(self) -> str:
        fold = self.run.config.fold
        return f"{self.saved.run_folder}, step {self.saved.step}" + (f", fold {fold}" if fold else "")


def run(members: Sequence[Member], split: str, is_scored: bool, out: Path | None) -> int:
    """Rows of the split to `out`; where it is scored, the scores beside them and on the screen."""
    judged = judge(members, split, is_scored, out)
    if jax.process_index() == 0:
        first = members[0].run
        if filled := int(judged.table.filled.sum()):
            print(f"{filled:,} of {len(judged.table):,} rows filled by rule {first.config.evaluation.fill!r}")
        if judged.result is not None:
            print("\n".join(_lines(judged.result, judged.intervals, judged.tuned)))
            print(f"rows, scores, scores of each track: {judged.out}")
        else:
            _say_what_is_next(judged, _sample_of(first, split))
    return 0


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """What was found and where it was written."""

    out: Path
    table: RowTable
    truth: Truth
    tuned: Tuned
    result: Result | None
    """None of predictions that nobody can score."""
    intervals: dict[str, Interval]


def judge(members: Sequence[Member], split: str, is_scored: bool = True, out: Path | None = None) -> Judged:
    """Predict every row of a split and write what comes of it; several members by their ensemble."""
    first = members[0]
    if out is None:
        folder = first.saved.run_folder / ("evaluation" if is_scored else "predictions")
        out = folder / f"{split}-{first.saved.step if len(members) == 1 else _digest(members)}"
    with progress("predict") as show:
        judge = Judge(members, show)
        tuned, truth = judge.tuned, judge.parts(split)[0].truth
        table = judge.rows(split, tuned.smoothing_s)
    result = evaluate(table, truth, tuned.thresholds) if is_scored else None
    resamples, seed = first.run.config.evaluation.resamples, first.run.config.seed
    found = intervals(result.statistics, resamples=resamples, seed=seed) if result else {}
    judged = Judged(out, table, truth, tuned, result, found)
    if jax.process_index() == 0:
        _write_rows(judged)
        if result is not None:
            _write_scores(judged, members, split)
    return judged


def _digest(members: Sequence[Member]) -> str:
    """A short name: another ensemble of the same run gets another folder."""
    return "ensemble-" + hashlib.sha256("; ".join(map(str, members)).encode()).hexdigest()[:8]


@dataclasses.dataclass(frozen=True, eq=False)
class Judge:
    """Trained models, and what is learnt for finishing their rows; the first one's config decides how."""

    members: Sequence[Member]
    show: OnProgress = silent

    def __post_init__(self) -> None:
        tasks = [member.run.config.task for member in self.members]
        if len(set(tasks)) > 1:
            raise ValueError(f"--checkpoint: found tasks {', '.join(tasks)}, expected the same of all")
        corpora = {f"{m.run.data.corpus.root}, edition {m.run.config.corpus.edition}" for m in self.members}
        if len(corpora) > 1:
            raise ValueError(
                f"--checkpoint: found several corpora, expected one: {'; '.join(sorted(corpora))}"
            )

    @property
    def _settings(self) -> ConfigDict:
        return self.members[0].run.config.evaluation

    def parts(self, split: str) -> list[Part]:
        """Of each member; opened once."""
        if split not in self._opened:
            self._opened[split] = self._open(split)
        return self._opened[split]

    @functools.cached_property
    def _opened(self) -> dict[str, list[Part]]:
        return {}

    def _open(self, split: str) -> list[Part]:
        """One alone is asked for its own fold, several for the official split."""
        if len(self.members) == 1:
            run = self.members[0].run
            return [run.validation if split == "validation" else run.part(split)]
        if split in ("train", "validation") and (
            knowing := [str(m) for m in self.members if m.run.config.fold]
        ):
            warnings.warn(
                f"these have learnt from the {split} split: {'; '.join(knowing)}", LeakWarning, stacklevel=2
            )
        return [member.run.part(split, is_official=True) for member in self.members]

    def rows(self, split: str, smoothing_s: float | None = None) -> RowTable:
        """Of every track, by all members together."""
        tables = [
            member.run.filled(part, member.state, self._settings, self.show)
            for member, part in zip(self.members, self.parts(split), strict=True)
        ]
        return finished(joined(tables, self._settings), self._settings, smoothing_s)

    @functools.cached_property
    def tuned(self) -> Tuned:
        """On folds of the training split, never on what is scored."""
        evaluation, task = self._settings, self.members[0].run.task
        if evaluation.tune == "nothing":
            return Tuned()
        part = self.parts("train")[0]
        tracks = [track for track in part.tracks if track.rows]
        seed = self.members[0].run.config.seed
        names = [[t.name for t in fold] for fold in folds(tracks, evaluation.folds, seed)]
        if evaluation.tune == "smoothing":
            table = self.rows("train", smoothing_s=0.0)
            return tune_smoothing(table, part.truth, task.score, evaluation.smoothing, names)
        table = self.rows("train")  # smoothed as where the thresholds are applied
        return tune_thresholds(table, part.truth, task.score, names)


def _write_rows(judged: Judged) -> None:
    """First of all: what comes behind may fail."""
    judged.out.mkdir(parents=True, exist_ok=True)
    files.write(judged.table, judged.out / "rows.parquet")
    if judged.tuned.thresholds is not None:
        _write(judged.out / "thresholds.json", json.dumps(judged.tuned.thresholds) + "\n")


def _write_scores(judged: Judged, members: Sequence[Member], split: str) -> None:
    """For programs, and for people."""
    _write(judged.out / "tracks.csv", _by_track(judged.result.statistics))
    report = judged.result.as_dict() | {
        "checkpoint": "; ".join(map(str, members)),
        "split": split,
        "intervals": {name: dataclasses.asdict(interval) for name, interval in judged.intervals.items()},
        "tuned": dataclasses.asdict(judged.tuned),
    }
    _write(judged.out / "scores.json", json.dumps(report, indent=2) + "\n")


def _say_what_is_next(judged: Judged, sample: str) -> None:
    rows, table = judged.out / "rows.parquet", judged.table
    print(f"{len(table):,} rows of {len(table.tracks)} tracks: {rows}")
    words = ["abaw", "submit", str(rows), "--sample", sample]
    words += ["--thresholds", str(judged.out / "thresholds.json")] if judged.tuned.thresholds else []
    print(f"next: {shlex.join(words)}")


def _sample_of(run: Run, split: str) -> str:
    """The organisers' file that says which rows are wanted, of the edition that was predicted."""
    corpus, task, edition = run.data.corpus, run.config.task, run.config.corpus.edition
    edition = corpus.edition(task, split) if edition is None else edition
    found = corpus.samples.get((task, edition, split))
    return "SAMPLE_FILE" if found is None else str(corpus.root / found)


def _by_track(statistics: Statistics) -> str:
    """A line a track."""
    out = io.StringIO()
    rows = []
    for number, name in enumerate(statistics.tracks):
        scores = Scores.of(statistics.take(np.array([number])))
        line: dict[str, Any] = {"track": name}
        for task in statistics.tasks:
            line |= {f"{task}_rows": scores.valid_rows[task], task: getattr(scores, task)}
        rows.append(line | (scores.ccc or {}))
    writer = csv.DictWriter(out, fieldnames=list(rows[0]) if rows else ["track"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _lines(result: Result, found: dict[str, Interval], tuned: Tuned) -> list[str]:
    """For people."""
    lines = []
    for name, interval in found.items():
        line = f"{name:8} {interval.score:.4f}  [{interval.low:.4f}, {interval.high:.4f}]"
        if name in WIDTHS:
            rows = result.all_rows.valid_rows[name]
            line += f"  {rows:,} rows; {getattr(result.with_image, name):.4f} over rows with an image"
        lines.append(line)
    if tuned.before is not None:
        what = f"smoothing over {tuned.smoothing_s:g} s" if tuned.thresholds is None else "thresholds"
        gain = f"{tuned.before:.4f} there before, {tuned.after:.4f} after"
        lines.append(f"{what}, tuned on folds of the training split: {gain}")
    return lines


def _write(path: Path, text: str) -> None:
    """To a temporary name first."""
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
