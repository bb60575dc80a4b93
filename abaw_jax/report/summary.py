"""What ends a training run for a newcomer: how good it is, where things are, what to type next."""

import dataclasses
import textwrap
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table

from abaw_jax.report.card import Card, features
from abaw_jax.report.commands import next_commands
from abaw_jax.report.standards import MEANINGS, UNITS, Landmarks, landmarks, way
from abaw_jax.terminal import duration_text

INDENT = "  "
TEXT_COLUMNS = 100
"""Sentences over a whole wide screen are hard to read."""
BAR_COLUMNS = 36
RUN = "this run"


def show(card: Card, console: Console | None = None) -> None:
    """Print it; nothing is cut at the edge of the terminal."""
    (console or Console()).print(summary(card), crop=False)


def summary(card: Card) -> Group:
    """For `show`. The table and sentences suit the width; paths and commands stay whole, whatever it is."""
    marks = landmarks(card["standards"], card["task"])
    return Group(
        Whole((f"{card['config']}, seed {card['seed']}: {features(card)}", ""), "bold"),
        _table(card, marks),
        Whole(("",)),
        *_explained(card, marks),
        Wrapped(_cost(card)),
        Whole(("", "where things are"), "bold"),
        Whole(tuple(_places(card))),
        Whole(("", "what to type next"), "bold"),
        *_commands(card),
    )


@dataclasses.dataclass(frozen=True)
class Whole:
    """Lines that are never wrapped nor cut, so that they can be copied."""

    lines: tuple[str, ...]
    style: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.lines:
            yield Segment(line, console.get_style(self.style))
            yield Segment.line()


@dataclasses.dataclass(frozen=True)
class Wrapped:
    """A sentence, in lines of the width there is."""

    text: str
    style: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, TEXT_COLUMNS)
        lines = textwrap.wrap(
            self.text, width, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False
        )
        yield Whole(tuple(lines), self.style)


@dataclasses.dataclass(frozen=True)
class Bar:
    """A share of the width there is, in a font's own lines or in plain ASCII."""

    share: float

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        halves = round(2 * self.share * min(options.max_width, BAR_COLUMNS))
        yield Segment("=" * (halves // 2) if options.ascii_only else "━" * (halves // 2) + "╸" * (halves % 2))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, BAR_COLUMNS)


def _table(card: Card, marks: Landmarks) -> Table:
    """The run among its landmarks, the best on top; its parts below it."""
    own = card["score"]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(f"{INDENT}validation", no_wrap=True)
    table.add_column(UNITS.get(own["name"], "score"), justify="right", no_wrap=True)
    table.add_column("95% interval", no_wrap=True)
    table.add_column()
    ranks: dict[str, Card] = {name: {"value": score} for name, score in _known(marks).items()}
    ranks |= {f"{stream} alone": found for stream, found in card.get("alone", {}).items()} | {RUN: own}
    best = max(found["value"] for found in ranks.values())
    for name, found in sorted(ranks.items(), key=lambda pair: -pair[1]["value"]):
        is_run, score = name == RUN, found["value"]
        bar = Bar(max(0.0, score / best)) if len(ranks) > 1 and best > 0 else ""
        interval, style = _interval(found) if "low" in found else "", "bold green" if is_run else ""
        table.add_row(INDENT + name, f"{score:.3f}", interval, bar, style=style)
        for part, found in card["intervals"].items() if is_run else ():
            if part != own["name"]:
                table.add_row(f"{INDENT * 2}{part}", f"{found['score']:.3f}", _interval(found))
    return table


def _known(marks: Landmarks) -> dict[str, float]:
    return {name: score for name, score in dataclasses.asdict(marks).items() if score is not None}


def _interval(found: Card) -> str:
    return f"{found['low']:.3f} to {found['high']:.3f}"


def _explained(card: Card, marks: Landmarks) -> Iterator[RenderableType]:
    """How far the run got, and between what."""
    goals = {"ceiling": marks.ceiling, "oracle": marks.oracle}
    ways = {name: way(card["score"]["value"], marks.floor, goal) for name, goal in goals.items()}
    told = [
        f"{share:.0%} of the way from floor to {name}" for name, share in ways.items() if share is not None
    ]
    if told:
        yield Wrapped(", ".join(told), "bold")
    for name in _known(marks):
        yield Wrapped(f"{name:<9}{MEANINGS[name]}", "dim")
    if _known(marks):
        yield Whole(("",))


def _cost(card: Card) -> str:
    """What it took, and of what."""
    commit = f"; commit {card['commit']}" if card["commit"] else ""
    return (
        f"{card['rows']:,} rows of {card['tracks']:,} tracks; {card['parameters']:,} parameters; "
        f"{card['steps']:,} steps in {duration_text(card['seconds'])}, the best is {card['step']:,}{commit}"
    )


def _places(card: Card) -> Iterator[str]:
    places = card["files"] | {"tensorboard": f"{card['workdir'].rstrip('/')}/tensorboard"}
    width = max(map(len, places))
    yield from (f"{INDENT}{name:<{width}}  {path}" for name, path in places.items())


def _commands(card: Card) -> Iterator[RenderableType]:
    for command in next_commands(card):
        yield Wrapped(f"{command.why}:")
        yield Whole(tuple(command.lines(INDENT * 2)), "cyan")
