"""What is said of a synthetic face: its expression, how it feels, and which muscles are at work.

The sentences are those that published systems prompt CLIP with, so that their text terms mean something:
one for each expression, and nine states in three templates (Jung, Park and Lim 2026, arXiv 2603.13415).
"""

import itertools

import numpy as np
from jaxtyping import Float

from abaw_jax.labels import EXPRESSIONS

EXPRESSION_PROMPTS = tuple(f"A face expressing {name}" for name in EXPRESSIONS)

STATES = (
    "sad, tired, and low-energy",
    "displeased and uncomfortable",
    "angry, tense, and highly aroused",
    "calm, expressionless, and low-energy",
    "neutral and emotionally ordinary",
    "alert, attentive, and emotionally neutral",
    "relaxed, content, and pleasant",
    "happy and pleasant",
    "excited, joyful, and energetic",
)
"""Valence low, middle, high; within each arousal low, middle, high."""
TEMPLATES = ("a photo of a person who looks {}", "a face showing {}", "a facial expression of {}")
STATE_PROMPTS = tuple(template.format(state) for state in STATES for template in TEMPLATES)
STATE_EDGE = 0.33
"""Half way between the middle and the outer centres, which lie at 0.66."""

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
