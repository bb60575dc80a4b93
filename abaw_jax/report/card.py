"""The card of a run: what training leaves as `card.json`, read strictly, for others may write one too."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from abaw_jax.labels import TASKS

NAME = "card.json"
LARGEST = 1e15
"""Nothing that a run counts comes near it; neither does NaN."""
Card = Mapping[str, Any]


def read_card(path: Path) -> dict[str, Any]:
    """The card in this file; a ValueError says which key is not as it should be."""
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    if not isinstance(card, dict):
        raise ValueError(f"{path}: found {type(card).__name__}, expected an object as training writes it")
    for key, (is_right, expected) in EXPECTED.items():
        if not is_right(card.get(key)):
            found = repr(card[key])[:60] if key in card else "nothing"
            raise ValueError(f"{path}: key {key!r}: found {found}, expected {expected}")
    return card


def features(card: Card) -> str:
    """What the system looks at and listens to, as `video: tiny-clip; audio: tiny-whisper`."""
    return "; ".join(f"{name}: {_encoder(stream)}" for name, stream in card["streams"].items())


def _encoder(stream: Mapping[str, Any]) -> str:
    view = stream.get("view")
    return f"{stream['encoder']} ({view})" if view else stream["encoder"]


def _is_natural(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _is_score(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_number(value.get(key)) for key in ("value", "low", "high"))


def _is_streams(value: Any) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    return all(isinstance(s, dict) and isinstance(s.get("encoder"), str) for s in value.values())


def _is_standards(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict) or not all(isinstance(found, dict) for found in value.values()):
        return False
    scores = [score for found in value.values() for score in found.values()]
    return all(isinstance(score, dict) and _is_number(score.get("score")) for score in scores)


Rule = tuple[Callable[[Any], bool], str]
EXPECTED: dict[str, Rule] = {
    "config": (lambda value: isinstance(value, str) and value != "", "the name of a config"),
    "task": (lambda value: value in TASKS, f"one of {', '.join(TASKS)}"),
    "seed": (_is_natural, "a whole number"),
    "streams": (_is_streams, "streams, each with the name of its encoder"),
    "score": (_is_score, "finite numbers: value, low, high"),
    "rows": (_is_natural, "a whole number"),
    "tracks": (_is_natural, "a whole number"),
    "steps": (_is_natural, "a whole number"),
    "parameters": (_is_natural, "a whole number"),
    "seconds": (_is_number, "a finite number"),
    "commit": (lambda value: value is None or isinstance(value, str), "a short hash or null"),
    "standards": (_is_standards, "null, or of each standard the scores of its tasks"),
}
"""Of each key that a table needs, whether a value will do and what would."""
