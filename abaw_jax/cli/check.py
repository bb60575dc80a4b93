"""`abaw check ROOT`: a table per split, then every problem with file and line."""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from abaw_jax.corpus.cache import open_corpus
from abaw_jax.corpus.check import Report, SplitCount, check
from abaw_jax.problems import Problem
from abaw_jax.terminal import progress

SHOWN_LEAKS = 10
SHOWN_OF_A_KIND = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("root", type=Path, help="folder of the organisers' files, however nested")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    parser.add_argument(
        "--edition", type=int, help="take every file for this edition's, whatever its folder says"
    )
    parser.add_argument(
        "--split", action="append", default=[], metavar="FOLDER=NAME",
        help="the split of a folder of your own, e.g. annotations/fold_0=validation; may be repeated",
    )  # fmt: skip
    parser.add_argument("--no-images", action="store_true", help="do not look into the images")
    parser.add_argument("--no-times", action="store_true", help="trust the containers' rate; read no packets")
    parser.epilog = "Exit code: 0 clean, 1 with problems that were skipped or masked, 2 unusable."


def run(args: argparse.Namespace) -> int:
    """Read, report, and say by the exit code how it went."""
    splits = dict(_split_option(option) for option in args.split)
    with progress("check") as show:
        corpus = open_corpus(args.root, args.edition, splits, not args.no_times, on_progress=show)
        report = check(corpus, not args.no_images, show)
    if args.json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        _print(report)
    return report.exit_code


def _split_option(option: str) -> tuple[str, str]:
    folder, equals, name = option.partition("=")
    if not (folder and equals and name):
        raise ValueError(f"--split: found {option!r}, expected FOLDER=NAME")
    return folder.strip("/"), name


def _print(report: Report) -> None:
    console = Console(soft_wrap=True)
    if report.splits:
        Console().print(split_table(report.splits))
    elif not report.stills:
        nothing = f"{report.root}: no label file, test list or sample file of any edition"
        console.print(nothing, markup=False, highlight=False)
    for path, count in report.stills.items():
        console.print(f"{path}: {count:,} stills", markup=False, highlight=False)
    for line in by_kind(report.problems):
        console.print(line, style="red", markup=False, highlight=False)
    for line in by_kind(report.notes):
        console.print(f"note: {line}", style="yellow", markup=False, highlight=False)
    for leak in report.leaks[:SHOWN_LEAKS]:
        console.print(f"note: leak: {leak}", style="yellow", markup=False, highlight=False)
    if len(report.leaks) > SHOWN_LEAKS:
        console.print(
            f"note: leak: and {len(report.leaks) - SHOWN_LEAKS} more (--json has all)", style="yellow"
        )
    others = sum(not split.agrees for split in report.splits)
    if others:
        console.print(
            f"note: {others} of {len(report.splits)} splits differ from the official counts", style="yellow"
        )
    count = len(report.problems)
    console.print(f"{report.tracks} tracks, {count} problem{'' if count == 1 else 's'}", highlight=False)


def by_kind(problems: Iterable[Problem]) -> list[str]:
    """A line each; where a file has many of one kind, the first three and how many more."""
    groups: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        groups.setdefault((problem.path, problem.kind), []).append(problem)
    lines = []
    for (path, kind), group in groups.items():
        lines += map(str, group[:SHOWN_OF_A_KIND])
        if len(group) > SHOWN_OF_A_KIND:
            lines.append(f"{path}: {kind}: and {len(group) - SHOWN_OF_A_KIND:,} more (--json has all)")
    return lines


def split_table(splits: tuple[SplitCount, ...]) -> Table:
    caption = "found/official, where a source gives the number"
    table = Table(box=None, caption=caption, caption_justify="left", padding=(0, 1, 0, 0))
    for name in ("task", "ed.", "split"):
        table.add_column(name, no_wrap=True)
    for name in ("tracks", "rows", "valid rows", "no image"):
        table.add_column(name, justify="right", no_wrap=True)
    for split in splits:
        table.add_row(
            split.task,
            str(split.edition or "?"),
            escape(split.split),
            _against(split.tracks, split.official_tracks),
            _against(split.rows, split.official_rows),
            _against(split.valid, split.official_valid),
            f"{split.without_image:,}",
        )
    return table


def _against(found: int | None, official: int | None) -> str:
    shown = "-" if found is None else f"{found:,}"
    if official is None or found is None:
        return shown
    colour = "green" if found == official else "yellow"
    return f"[{colour}]{shown}/{official:,}[/]"
