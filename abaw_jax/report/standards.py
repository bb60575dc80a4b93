"""What a score is held against: the floor, an oracle and the ceiling that a synthetic corpus records."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from abaw_jax.labels import PARTS

FLOOR, ORACLE, CEILING = "floor", "window, both", "ceiling"
"""As `abaw_jax.corpus.synthetic.standard` names them; the oracle sees what both streams may show."""

MEANINGS = {
    "floor": "the mean of the training labels, said of every row",
    "oracle": "a regression on all that face and voice truly show around a row",
    "ceiling": "the truth itself, scored on labels of annotators who err",
}
SCORE_NAMES = {
    "va": "CCC, mean of valence and arousal",
    "expr": "F1, mean of 8 expressions",
    "au": "F1, mean of 12 action units",
    "mtl": "sum of the three scores",
}
UNITS = {"va": "CCC", "expr": "F1", "au": "F1"}


@dataclasses.dataclass(frozen=True)
class Landmarks:
    """Scores between which a run lies; None where the corpus knows none, as Aff-Wild2."""

    floor: float | None = None
    oracle: float | None = None
    ceiling: float | None = None


def landmarks(standards: Mapping[str, Any] | None, task: str) -> Landmarks:
    """Those of one task; of mtl the sum of its three, as its score is."""
    return Landmarks(*(_score(standards or {}, name, task) for name in (FLOOR, ORACLE, CEILING)))


def way(score: float, start: float | None, goal: float | None) -> float | None:
    """Which share of the way from start to goal the score has gone; None where there is no such way."""
    if start is None or goal is None or goal <= start:
        return None
    return (score - start) / (goal - start)


def _score(standards: Mapping[str, Any], name: str, task: str) -> float | None:
    parts = [standards.get(name, {}).get(part) for part in PARTS[task]]
    return None if None in parts else float(sum(part["score"] for part in parts))
