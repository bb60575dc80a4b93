"""What systems prompt CLIP with: facts of published papers, in the order of what they stand for."""

from abaw_jax.labels import EXPRESSIONS

EXPRESSION_PROMPTS = tuple(f"A face expressing {name}" for name in EXPRESSIONS)
"""Byeon, Kim, Lim 2026 (arXiv 2603.11971): one of each expression."""

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
"""Jung, Park, Lim 2026 (arXiv 2603.13415): by valence, within it by arousal; low, middle, high."""
STATE_CENTRE = 0.66
"""Of the outer states, the same paper; the middle ones lie at 0."""
TEMPLATES = ("a photo of a person who looks {}", "a face showing {}", "a facial expression of {}")
STATE_PROMPTS = tuple(template.format(state) for state in STATES for template in TEMPLATES)

PROMPTS = {"expressions": EXPRESSION_PROMPTS, "states": STATE_PROMPTS}
"""By the name that a config gives."""
