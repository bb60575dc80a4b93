"""What is said of a synthetic face: its expression, how it feels, and which muscles are at work.

Among the sentences are those that published systems prompt CLIP with, so that their text terms mean
something.
"""

import itertools

import numpy as np
from jaxtyping import Float

from abaw_jax.prompts import EXPRESSION_PROMPTS, STATE_CENTRE, STATE_PROMPTS

STATE_EDGE = STATE_CENTRE / 2

MUSCLES = (
    "inner brows raised", "outer brows raised", "brows lowered", "cheeks raised", "lids tightened",
    "upper lip raised", "lip corners pulled up", "lip corners pressed down", "lips tightened",
    "lips pressed", "lips parted", "jaw dropped",
)  # fmt: skip
DEGREES = ((0.2, " slightly"), (0.5, ""), (0.8, " strongly"))
"""From which intensity on; below the first nothing is said."""
COVERED = "a face that is covered"


def state_of(va: Float[np.ndarray, "2"]) -> int:
    """Which of the nine states a valence and an arousal are."""
    valence, arousal = np.digitize(va, (-STATE_EDGE, STATE_EDGE))
    return int(3 * valence + arousal)


def muscles_text(actions: Float[np.ndarray, "12"]) -> str:
    """`a face with brows lowered, lips pressed strongly`: in the muscles' order."""
    said = [_muscle(name, float(level)) for name, level in zip(MUSCLES, actions, strict=True)]
    return f"a face with {', '.join(filter(None, said)) or 'nothing at work'}"


def _muscle(name: str, level: float) -> str:
    degree = next((word for least, word in reversed(DEGREES) if level >= least), None)
    return "" if degree is None else f"{name}{degree}"


def all_sentences() -> list[str]:
    """Every prompt, and every way to speak of one muscle: what a tokenizer has to know."""
    muscles = [f"{name}{word}" for (_, word), name in itertools.product(DEGREES, MUSCLES)]
    single = [f"a face with {what}, {what}" for what in [*muscles, "nothing at work"]]
    return [*EXPRESSION_PROMPTS, *STATE_PROMPTS, COVERED, *single]
