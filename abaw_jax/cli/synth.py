"""`abaw synth DIR`: a corpus that has the organisers' bytes and something to learn in it."""

import argparse
import dataclasses
import math
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from abaw_jax.corpus.synthetic.cast import SIZES
from abaw_jax.corpus.synthetic.layout import LAYOUTS
from abaw_jax.corpus.synthetic.make import Plan
from abaw_jax.corpus.synthetic.standard import SCORED, make_scored
from abaw_jax.corpus.synthetic.stills import make_stills
from abaw_jax.defaults import get_config
from abaw_jax.terminal import progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    defaults = get_config()
    parser.add_argument(
        "root", type=Path, help="a new or empty folder, or one that the same command has begun"
    )
    parser.add_argument(
        "--size", choices=("tiny", *SIZES), default=defaults.synthetic.size, help="(%(default)s)"
    )
    parser.add_argument(
        "--seed", type=natural, default=defaults.seed, help="everything follows from it (%(default)s)"
    )
    parser.add_argument(
        "--edition", type=int, choices=tuple(LAYOUTS), default=defaults.synthetic.edition, metavar="N",
        help="write the folders of this edition, 1 to 11 (%(default)s)",
    )  # fmt: skip
    own = parser.add_argument_group("a size of your own (each overrides what --size says)")
    for split in ("train", "validation", "test"):
        own.add_argument(f"--{split}", type=natural, metavar="TRACKS", help=f"{split} tracks")
    own.add_argument("--seconds", type=positive, help="length of a track")
    own.add_argument("--fps", type=positive, help="rows a second")
    parser.add_argument("--videos", action="store_true", help="also write .mp4 with sound (tiny always does)")
    parser.add_argument("--no-crops", action="store_true", help="no face images")
    parser.add_argument("--no-sounds", action="store_true", help="no .wav files")
    parser.add_argument(
        "--stills", type=natural, default=0, metavar="N", help="add an LSD-like set, N images a class"
    )
    parser.add_argument("--preview", action="store_true", help="also draw 64 faces and one track as PNG")
    parser.add_argument("--workers", type=natural, help="processes (one a core)")


def natural(text: str) -> int:
    """A whole number from 0 up, for argparse."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"found {text}, expected 0 or more")
    return value


def positive(text: str) -> float:
    """A finite number above 0, for argparse."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"found {text}, expected a number above 0")
    return value


def run(args: argparse.Namespace) -> int:
    """Make it, score the oracles on it, say what was made."""
    plan = Plan(
        args.root,
        _size(args),
        args.seed,
        args.edition,
        not args.no_crops,
        not args.no_sounds,
        True if args.videos else None,
    )
    parts = plan.parts()
    with progress("synth") as show:
        results = make_scored(plan, show, args.workers)
        if args.stills:
            make_stills(args.root, args.stills, args.seed, show)
    print(
        f"{args.root}: {len(parts)} tracks, {sum(part.rows for part in parts):,} rows, edition {plan.edition}"
    )
    if results:
        Console().print(_table(results))
    if args.preview:
        _preview(args.root, parts)
    return 0


def _size(args: argparse.Namespace):
    own = {field.name: getattr(args, field.name) for field in dataclasses.fields(SIZES["demo"])}
    own = {name: value for name, value in own.items() if value is not None}
    if not own:
        return args.size
    if args.size == "tiny":
        raise ValueError(
            f"size tiny is what it is; found also --{next(iter(own))}, expected --size demo or evidence"
        )
    return dataclasses.replace(SIZES[args.size], **own)


def _table(results: dict) -> Table:
    title = "what can be reached on the validation tracks: ridge regressions on what is truly shown"
    table = Table(box=box.SIMPLE, title=title, title_justify="left")
    table.add_column("oracle")
    for name in ("VA (CCC)", "EXPR (F1)", "AU (F1)"):
        table.add_column(name, justify="right")
    for name, result in results.items():
        table.add_row(name, *(f"{getattr(result.all_rows, task):.3f}" for task in SCORED))
    return table


def _preview(root: Path, parts: list) -> None:
    import matplotlib as mpl  # half a second that other runs need not pay

    mpl.use("agg")
    from abaw_jax.corpus.synthetic.preview import contact_sheet, most_telling, track_sheet

    faces, track = root / "preview_faces.png", root / "preview_track.png"
    contact_sheet(parts, faces)
    track_sheet(most_telling(parts), track)
    print(f"look at {faces} and {track}")
