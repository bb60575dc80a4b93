"""What a run has scored; everything adaptive is a pure function of it, so that resuming changes nothing."""

from collections.abc import Sequence
from typing import Any

History = Sequence[dict[str, Any]]
"""Of each evaluation: `step`, `score` and the scores' details, in order."""


def best(history: History) -> dict[str, Any] | None:
    """The first of the best."""
    return max(history, key=lambda entry: entry["score"], default=None)


def evaluations_since_best(history: History) -> int:
    """How many came after it."""
    top = best(history)
    return sum(entry["step"] > top["step"] for entry in history) if top else 0


def is_stalled(history: History, patience: int) -> bool:
    """Whether to stop early; patience 0 never does."""
    return patience > 0 and evaluations_since_best(history) >= patience


def plateau_scale(history: History, factor: float, patience: int, least: float = 0.0) -> float:
    """The learning rate's factor: reduced whenever `patience` evaluations in a row did not beat the best."""
    scale, top, waited = 1.0, -float("inf"), 0
    for entry in history:
        if entry["score"] > top:
            top, waited = entry["score"], 0
            continue
        waited += 1
        if patience > 0 and waited >= patience:
            scale, waited = max(scale * factor, least), 0
    return scale
