"""`abaw submit`: from a table of predictions to the organisers' file; or what is wrong with one."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from abaw_jax.corpus.image_lists import ImageList, read_image_list, read_test_list
from abaw_jax.corpus.submission import LAYOUTS, write_submission
from abaw_jax.corpus.validation import validate
from abaw_jax.defaults import get_config
from abaw_jax.evaluation import files, fill, thresholds
from abaw_jax.evaluation.rows import ROW_BITS, Rows, make_keys
from abaw_jax.evaluation.table import RowTable
from abaw_jax.labels import ACTION_UNITS, PARTS, TASKS, VA_RANGE
from abaw_jax.problems import UnusableFile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    rules = ", ".join([*fill.RULES, *fill.ALIASES])
    parser.add_argument("predictions", nargs="?", type=Path, help="table of predictions, .parquet or .csv")
    parser.add_argument("--sample", type=Path, required=True, help="the organisers' sample (or example) file")
    parser.add_argument(
        "--out", type=Path, default=Path("predictions.txt"), help="file to write (%(default)s)"
    )
    parser.add_argument(
        "--fill", default=get_config().evaluation.fill, metavar="RULE",
        help=f"for rows without a prediction (%(default)s); one of: {rules}",
    )  # fmt: skip
    parser.add_argument(
        "--layout", choices=LAYOUTS, default="single", help="per_track: the 3rd edition's folder"
    )
    parser.add_argument("--task", choices=TASKS, help="with a list of test tracks instead of a sample file")
    parser.add_argument("--thresholds", type=Path, help="JSON list of 12 AU thresholds (0.5 each)")
    parser.add_argument(
        "--clip", action="store_true", help="clip valence and arousal to [-1, 1] (else an error)"
    )
    parser.add_argument(
        "--validate", type=Path, metavar="FILE", help="write nothing; say what is wrong with FILE"
    )
    parser.epilog = "Exit code: 0 done or valid, 1 FILE has problems, 2 unusable."


def run(args: argparse.Namespace) -> int:
    """Write or validate."""
    if (args.validate is None) == (args.predictions is None):
        raise ValueError("give either a table of predictions or --validate FILE")
    table = files.read(args.predictions) if args.predictions else None
    sample = _read_sample(args.sample, args.task, table)
    if args.validate is not None:
        problems = validate(args.validate, sample)
        print(
            "\n".join(map(str, problems)) or f"{args.validate}: valid, {len(sample):,} rows of {sample.task}"
        )
        return 1 if problems else 0
    if args.out.resolve() in (args.predictions.resolve(), args.sample.resolve()):
        raise ValueError(f"--out {args.out} would overwrite what it is made from")
    limits = _read_thresholds(args.thresholds, sample.task) if args.thresholds else None
    decisions, counts = decide(table, sample, args.fill, limits, args.clip)
    write_submission(args.out, sample, decisions, args.layout)
    print(f"{args.out}: {len(sample):,} rows of {len(sample.tracks)} tracks for {sample.task}")
    print(f"filled by rule {args.fill!r}: {sum(counts.filled.values()):,} rows")
    for task, names in counts.without_predictions.items():
        if names and task in PARTS[sample.task]:
            print(f"no prediction of {task} at all, now neutral: {', '.join(names)}", file=sys.stderr)
    unknown = [name for name in table.tracks if name not in sample.tracks]
    if counts.left_out:
        of_tracks = f", among them all of {', '.join(unknown)}" if unknown else ""
        print(f"not in the sample, left out: {counts.left_out:,} rows{of_tracks}", file=sys.stderr)
    return 0


def _read_thresholds(path: Path, task: str) -> list[float]:
    """Twelve numbers in [0, 1], in the order of the action units."""
    if "au" not in PARTS[task]:
        raise ValueError(f"--thresholds is for action units; the sample is of {task}")
    try:
        limits = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(
            f"{path}: not JSON ({error}); expected a list of {len(ACTION_UNITS)} numbers"
        ) from error
    is_list = isinstance(limits, list) and len(limits) == len(ACTION_UNITS)
    if not is_list or not all(isinstance(limit, int | float) and 0 <= limit <= 1 for limit in limits):
        raise ValueError(f"{path}: found {limits}, expected a list of {len(ACTION_UNITS)} numbers in [0, 1]")
    return limits


def _read_sample(path: Path, task: str | None, table: RowTable | None) -> ImageList:
    """The organisers' rows; from a test list (3rd edition) the names, with rows up to the table's last."""
    try:
        sample = read_image_list(path)
    except UnusableFile as error:
        if error.problem.kind != "unknown header":
            raise
        if task is None or table is None:
            hint = "a list of test tracks (3rd edition) needs --task and has no rows to validate against"
            raise ValueError(f"{error}; {hint}") from error
        names, problems = read_test_list(path)
        absent = [name for name in names if name not in table.tracks]
        if problems or absent:
            raise ValueError(
                str(problems[0]) if problems else f"{path}: no predictions for {absent}"
            ) from error
        last = {name: int(table.row[table.track == table.tracks.index(name)].max()) for name in names}
        rows = Rows.wanted(last)
        return ImageList(task, rows.tracks, rows.track, rows.row)
    for problem in sample.problems:
        if problem.level == "problem":
            raise ValueError(str(problem))
        print(f"note: {problem}", file=sys.stderr)
    if not len(sample):
        raise ValueError(f"{path}: found no rows, expected those to be submitted")
    if task not in (None, sample.task):
        raise ValueError(f"--task {task}: the sample is of {sample.task}")
    return sample


def decide(
    table: RowTable, sample: ImageList, rule: str, limits: list[float] | None, clip: bool
) -> tuple[dict[str, np.ndarray], fill.FillCounts]:
    """Decisions in the sample's order, and what had to be filled for them."""
    if not len(table):
        raise ValueError("the table of predictions has no rows")
    missing = [task for task in PARTS[sample.task] if task not in table.tasks]
    if missing:
        raise ValueError(
            f"no predictions of {', '.join(missing)} in the table; it has {', '.join(table.tasks)}"
        )
    if not set(table.tracks) & set(sample.tracks):
        raise ValueError(f"no track of the sample is in the table; it has {', '.join(table.tracks[:5])}, …")
    keys, at = np.unique(make_keys(sample.track, sample.row), return_inverse=True)
    wanted = Rows.build(sample.tracks, keys >> ROW_BITS, keys & (2**ROW_BITS - 1))  # MTL may repeat a frame
    filled, counts = fill.fill(table, wanted, rule)
    decisions = {}
    if "va" in PARTS[sample.task]:
        decisions["va"] = np.clip(filled.va[at], *VA_RANGE) if clip else filled.va[at]
    if "expr" in PARTS[sample.task]:
        decisions["expr"] = filled.expr[at].argmax(axis=1)
    if "au" in PARTS[sample.task]:
        decisions["au"] = thresholds.decide(filled.au[at], limits)
    return decisions, counts
