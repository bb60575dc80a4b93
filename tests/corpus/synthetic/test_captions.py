"""What is said of a face is what is so, and fits where it is kept."""

import numpy as np
import pytest

from abaw_jax import prompts
from abaw_jax.corpus.synthetic import captions
from abaw_jax.corpus.synthetic.lessons import TEXT
from abaw_jax.encoders.clip import token_ids
from abaw_jax.encoders.load import open_named
from abaw_jax.labels import ACTION_UNITS, EXPRESSIONS
from abaw_jax.nn.backbones.clip import Config

CENTRES = [(v, a) for v in (-0.66, 0.0, 0.66) for a in (-0.66, 0.0, 0.66)]


def test_the_nine_centres_are_the_nine_states_in_order():
    assert [captions.state_of(np.array(centre)) for centre in CENTRES] == list(range(9))


@pytest.mark.parametrize(
    ("va", "state"),
    [
        ((-1.0, 1.0), 2), ((1.0, -1.0), 6), ((-0.331, -0.329), 1), ((-0.329, -0.331), 3),
        ((0.329, 0.331), 5), ((0.331, 0.329), 7), ((-0.33, 0.33), 5),
    ],
)  # fmt: skip
def test_states_meet_half_way_between_their_centres(va: tuple[float, float], state: int):
    assert captions.state_of(np.array(va)) == state


def test_states_are_the_words_of_the_paper():
    """The happy end is pleasant and lively, the other sad and tired; three ways to say each, side by side."""
    assert prompts.STATES[0] == "sad, tired, and low-energy"
    assert prompts.STATES[8] == "excited, joyful, and energetic"
    assert prompts.STATE_PROMPTS[12:15] == (
        "a photo of a person who looks neutral and emotionally ordinary",
        "a face showing neutral and emotionally ordinary",
        "a facial expression of neutral and emotionally ordinary",
    )
    assert len(set(prompts.STATE_PROMPTS)) == 27


def test_expressions_have_the_prompts_of_their_labels():
    assert prompts.EXPRESSION_PROMPTS[0] == "A face expressing Neutral"
    assert len(prompts.EXPRESSION_PROMPTS) == len(EXPRESSIONS) == 8
    assert prompts.EXPRESSION_PROMPTS[7] == "A face expressing Other"


def test_muscles_are_said_in_their_order_and_by_degree():
    actions = np.zeros(12)
    actions[[2, 9, 11]] = 0.5, 0.8, 0.2
    said = "a face with brows lowered, lips pressed strongly, jaw dropped slightly"
    assert captions.muscles_text(actions) == said
    assert captions.muscles_text(actions.astype(np.float32)) == said
    actions[[2, 9, 11]] = 0.49, 0.79, 0.19
    assert captions.muscles_text(actions) == "a face with brows lowered slightly, lips pressed"


def test_of_a_face_at_rest_nothing_is_at_work():
    assert captions.muscles_text(np.full(12, 0.19)) == "a face with nothing at work"


def test_every_action_unit_has_a_muscle_of_its_own():
    assert len(set(captions.MUSCLES)) == len(captions.MUSCLES) == len(ACTION_UNITS)
    pairs = dict(zip(ACTION_UNITS, captions.MUSCLES, strict=True))
    assert (pairs["AU4"], pairs["AU12"], pairs["AU15"], pairs["AU26"]) == (
        "brows lowered", "lip corners pulled up", "lip corners pressed down", "jaw dropped",
    )  # fmt: skip


def test_the_tokenizer_has_seen_every_prompt_and_every_word():
    sentences = captions.all_sentences()
    assert set(prompts.EXPRESSION_PROMPTS) | set(prompts.STATE_PROMPTS) | {captions.COVERED} <= set(sentences)
    words = {word for sentence in sentences for word in sentence.split()}
    for level in (0.0, 0.3, 0.6, 0.9):
        assert set(captions.muscles_text(np.full(12, level)).replace(",", "").split()) <= words


def test_the_longest_caption_fits_its_bytes_and_the_embedded_encoders_tokens():
    longest = [captions.muscles_text(np.full(12, level)) for level in (0.3, 0.9)]
    for text in longest:
        assert np.array(text, TEXT).item().decode() == text
    checkpoint = open_named("tiny-clip")
    tower = Config.from_json(checkpoint.config).text
    ids = token_ids(checkpoint, tower, longest)
    assert ids.shape == (2, tower.max_position_embeddings)
    assert (ids == tower.eos_token_id).any(axis=1).all()
