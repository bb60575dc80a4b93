"""`abaw results FOLDER`: the runs below it side by side, as a Markdown table, also into a README."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from abaw_jax.report.card import NAME, read_card
from abaw_jax.report.place import replace_between_markers
from abaw_jax.report.results import markdown, systems


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of runs, however nested")
    parser.add_argument(
        "--into", type=Path, metavar="FILE",
        help="replace what stands there between '<!-- results: … -->' and '<!-- end of results -->'",
    )  # fmt: skip
    parser.epilog = "Exit code: 0 done, 1 done without cards that could not be read, 2 no cards at all."


def run(args: argparse.Namespace) -> int:
    """Read every card, and print or place the table."""
    cards, problems = [], 0
    for path in find_cards(args.folders):
        try:
            cards.append(read_card(path))
        except ValueError as error:
            print(f"results: {error}", file=sys.stderr)
            problems += 1
    found = systems(cards)
    if cards and args.into is not None:
        replace_between_markers(args.into, markdown(found))
        print(f"{args.into}: {len(found)} systems from {len(cards)} runs")
    elif cards:
        print("\n".join(markdown(found)))
    return 1 if problems else 0


def find_cards(folders: Iterable[Path]) -> list[Path]:
    """Each once, also where a folder lies in another."""
    found: dict[Path, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder")
        for path in sorted(folder.rglob(NAME)):
            found.setdefault(path.resolve(), path)
    if not found:
        where = ", ".join(map(str, folders))
        raise FileNotFoundError(f"{where}: no {NAME} there; training writes one into each run's folder")
    return list(found.values())
