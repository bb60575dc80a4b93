"""`abaw compare A B`: A minus B on the same tracks, with what the tracks' own spread says of it."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from abaw_jax.corpus.cache import open_corpus
from abaw_jax.defaults import get_config
from abaw_jax.evaluation import files, fill
from abaw_jax.evaluation.intervals import LEVEL, RESAMPLES, compare
from abaw_jax.evaluation.scores import Result, evaluate
from abaw_jax.evaluation.table import RowTable
from abaw_jax.evaluation.truth import Truth
from abaw_jax.inputs.source import LabelChoice
from abaw_jax.labels import PARTS, TASKS
from abaw_jax.terminal import progress
from abaw_jax.train.data import truth_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("a", type=Path, help="table of predictions, as rows.parquet of --mode=evaluate")
    parser.add_argument("b", type=Path, help="another one of the same rows")
    parser.add_argument("--corpus", type=Path, required=True, metavar="ROOT", help="where the labels are")
    parser.add_argument("--task", choices=TASKS, help="of the split (by default what both tables predict)")
    parser.add_argument("--split", default="validation", help="whose labels (%(default)s)")
    parser.add_argument("--edition", type=int, help="of the labels (the newest)")
    parser.add_argument("--fill", default=get_config().evaluation.fill, metavar="RULE", help="(%(default)s)")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="(%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")


def run(args: argparse.Namespace) -> int:
    """Score both on the same rows, and draw."""
    tables = [files.read(path) for path in (args.a, args.b)]
    shared = [task for task in tables[0].tasks if task in tables[1].tasks]
    if not shared:
        raise ValueError(f"{args.a} and {args.b} predict nothing that is the same")
    task = args.task or ("mtl" if len(shared) == len(PARTS["mtl"]) else shared[0])
    with progress("compare") as show:
        corpus = open_corpus(args.corpus, on_progress=show)
    tracks = corpus.split(task, args.split, args.edition)
    truth = truth_of(tracks, LabelChoice(PARTS[task], task, args.edition))
    one, other = (
        evaluate(_filled(path, table, truth, args.fill), truth)
        for path, table in zip((args.a, args.b), tables, strict=True)
    )
    found = compare(one.statistics, other.statistics, resamples=args.resamples)
    if args.json:
        print(json.dumps({name: asdict(comparison) for name, comparison in found.items()}, indent=2))
        return 0
    print(f"{len(tracks)} tracks of {task}/{args.split}; {args.resamples} resamples, {LEVEL:.0%} intervals")
    for name, c in found.items():
        scores = f"{_score(one, name)} against {_score(other, name)}"
        verdict = "better" if c.low > 0 else "worse" if c.high < 0 else "no difference that can be told"
        spread = f"[{c.low:+.4f}, {c.high:+.4f}], p = {c.p_value:.3f}"
        print(f"{name:8} {scores}: {c.difference:+.4f} {spread}: {verdict}")
    return 0


def _filled(path: Path, table: RowTable, truth: Truth, rule: str) -> RowTable:
    """Gaps are filled and told; a whole track that is missing is another run's table."""
    if lacking := [name for name in truth.tracks if name not in table.tracks]:
        raise ValueError(
            f"{path}: no predictions of {len(lacking)} of {len(truth.tracks)} tracks: {lacking[0]}, …"
        )
    filled, counts = fill.fill(table, truth, rule)
    if rows := sum(counts.filled.values()):
        print(f"{path}: {rows:,} rows filled by rule {rule!r}")
    return filled


def _score(result: Result, name: str) -> str:
    scores = result.all_rows
    value = getattr(scores, name, None) if hasattr(scores, name) else (scores.ccc or {}).get(name)
    return "?" if value is None else f"{value:.4f}"
