"""Runs side by side as a Markdown table: a line a system, the mean over its seeds."""

import dataclasses
import json
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from abaw_jax.labels import TASKS
from abaw_jax.report.card import Card, features
from abaw_jax.report.published import published
from abaw_jax.report.standards import Landmarks, landmarks, way

SAME = ("config", "task", "rows", "tracks", "steps", "parameters")
"""With the streams, what runs have in common that differ in the seed alone: other rows are another corpus."""

HEADER = (
    "| system | task | features | score, 95 % interval | floor | oracle | ceiling | floor to oracle "
    "| parameters | seconds | commit |"
)
RULE = "|---|---|---|---|--:|--:|--:|--:|--:|--:|---|"
AUTHORS = " authors' score: their data, not here |"
UNTOLD = ("--config.seed=", "--config.streams=", "--config.synthetic.")
"""Flags that other cells of the line tell, or that all lines share."""


@dataclasses.dataclass(frozen=True)
class System:
    """Runs that differ in the seed alone."""

    cards: tuple[Card, ...]

    @property
    def task(self) -> str:
        return self.cards[0]["task"]

    @property
    def score(self) -> float:
        """The mean over runs."""
        return statistics.fmean(card["score"]["value"] for card in self.cards)

    @property
    def interval(self) -> tuple[float, float]:
        """Of one run its own; of several the mean of their ends."""
        low, high = (statistics.fmean(card["score"][end] for card in self.cards) for end in ("low", "high"))
        return low, high

    @property
    def landmarks(self) -> Landmarks:
        """The means of those that are known: a synthetic corpus may follow the seed."""
        found = [dataclasses.astuple(landmarks(card["standards"], self.task)) for card in self.cards]
        known = ([score for score in scores if score is not None] for scores in zip(*found, strict=True))
        return Landmarks(*(statistics.fmean(scores) if scores else None for scores in known))

    @property
    def seeds(self) -> str:
        """How many, and in how many runs where that is not the same."""
        seeds, runs = len({card["seed"] for card in self.cards}), len(self.cards)
        counted = f"{seeds} seed{'s' if seeds > 1 else ''}"
        return counted if seeds == runs else f"{counted} in {runs} runs"


def systems(cards: Iterable[Card]) -> list[System]:
    """By task, then the best first."""
    groups: dict[str, list[Card]] = {}
    for card in cards:
        groups.setdefault(json.dumps(_identity(card), sort_keys=True), []).append(card)
    found = [System(tuple(group)) for group in groups.values()]
    return sorted(found, key=lambda system: (TASKS.index(system.task), -system.score))


def markdown(found: Sequence[System]) -> list[str]:
    """The lines of the table; where a system is somebody's, with what its authors report."""
    lines, theirs = [HEADER, RULE, *map(_line, found)], [published(s.cards[0]["config"]) for s in found]
    if not any(theirs):
        return lines
    return [
        line + end for line, end in zip(lines, [AUTHORS, "---|", *(f" {t} |" for t in theirs)], strict=True)
    ]


def _identity(card: Card) -> list[Any]:
    streams = {name: (stream["encoder"], stream.get("view")) for name, stream in card["streams"].items()}
    flags = sorted(flag for flag in card.get("flags", ()) if not flag.startswith("--config.seed="))
    return [*(card[key] for key in SAME), streams, flags]


def _line(system: System) -> str:
    low, high = system.interval
    marks = system.landmarks
    share = way(system.score, marks.floor, marks.oracle)
    commits = dict.fromkeys(card["commit"] for card in system.cards if card["commit"])
    cells = (
        _name(system.cards[0]),
        system.task,
        features(system.cards[0]),
        f"{system.score:.3f} ({low:.3f} to {high:.3f}), {system.seeds}",
        *("" if score is None else f"{score:.3f}" for score in dataclasses.astuple(marks)),
        "" if share is None else f"{100 * share:.0f} %",
        f"{system.cards[0]['parameters']:,}",
        f"{statistics.median(card['seconds'] for card in system.cards):.0f}",
        ", ".join(commits),
    )
    return f"| {' | '.join(map(_cell, cells))} |"


def _name(card: Card) -> str:
    """The config, and what was changed of it."""
    flags = [flag for flag in card.get("flags", ()) if not flag.startswith(UNTOLD)]
    changed = ", ".join(flag.removeprefix("--config.") for flag in flags)
    return f"{card['config']} ({changed})" if changed else card["config"]


def _cell(text: str) -> str:
    """On one line, and without the sign that ends a cell."""
    return " ".join(text.replace("|", "\\|").split())
