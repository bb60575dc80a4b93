"""Latents that a trend can follow, shared by face and voice in the ways that models need."""

import numpy as np
import pytest

from abaw_jax.corpus.synthetic.affect import ABSENT_S, FACES, PRESENT_S, VOICES, Affect, deal_expressions
from abaw_jax.corpus.synthetic.annotate import ACTION_THRESHOLD, annotate
from abaw_jax.corpus.synthetic.cast import SIZES, Part, Size, cast
from abaw_jax.corpus.synthetic.make import witness
from abaw_jax.labels import EXPRESSIONS

LONGEST_WINDOW_S = 12.0
"""300 rows at 25 a second, the longest of the ten systems."""


@pytest.fixture(scope="module")
def lives() -> list[tuple[Part, Affect]]:
    parts = cast(Size(train=40, validation=0, test=0, seconds=60.0), seed=3)
    return [(part, part.affect()) for part in parts]


def test_valence_and_arousal_follow_a_trend(lives):
    """Going on at the present speed predicts a third of a second ahead better than standing still."""
    ahead = round(25 / 3)
    still, going = [], []
    for _, affect in lives:
        now, speed, then = affect.va[1:-ahead], np.diff(affect.va, axis=0)[:-ahead], affect.va[1 + ahead :]
        still.append(np.abs(then - now).mean())
        going.append(np.abs(then - (now + 0.7 * ahead * speed)).mean())
    assert np.mean(going) < 0.8 * np.mean(still)


def test_valence_and_arousal_revert_within_seconds(lives):
    centred = [affect.va - affect.va.mean(axis=0) for _, affect in lives]

    def correlation(seconds: float) -> float:
        lag = round(25 * seconds)
        return np.sum([(c[lag:] * c[:-lag]).sum() for c in centred]) / np.sum(
            [(c[lag:] ** 2).sum() for c in centred]
        )

    assert correlation(0.2) > 0.93
    assert correlation(1.0) > 0.4
    assert abs(correlation(4.0)) < 0.25


def test_tracks_vary_more_within_than_between(lives):
    within = np.mean([affect.va.var(axis=0) for _, affect in lives], axis=0)
    between = np.var([affect.va.mean(axis=0) for _, affect in lives], axis=0)
    assert (within > 3 * between).all()


def test_face_and_voice_are_lost_for_longer_than_any_window(lives):
    assert ABSENT_S[0] > LONGEST_WINDOW_S
    for channel in ("is_visible", "is_audible"):
        share = np.mean([getattr(affect, channel).mean() for _, affect in lives])
        assert share == pytest.approx(np.mean(PRESENT_S) / (np.mean(PRESENT_S) + np.mean(ABSENT_S)), abs=0.05)
        for _, affect in lives:
            edges = np.flatnonzero(np.diff(getattr(affect, channel).astype(int))) + 1
            inner = np.diff(edges) / 25
            assert (inner > LONGEST_WINDOW_S).all()


def test_face_and_voice_are_lost_independently(lives):
    seen = np.concatenate([affect.is_visible for _, affect in lives])
    heard = np.concatenate([affect.is_audible for _, affect in lives])
    assert abs((seen & heard).mean() - seen.mean() * heard.mean()) < 0.05


def test_nothing_is_heard_in_pauses(lives):
    for _, affect in lives:
        assert not (affect.is_heard & ~affect.is_speaking).any()
    speaking = np.concatenate([affect.is_speaking for _, affect in lives])
    assert 0.6 < speaking.mean() < 0.9


def test_two_pairs_of_expressions_share_a_face_and_differ_in_the_voice(lives):
    for one, other in (("Anger", "Disgust"), ("Fear", "Surprise")):
        a, b = EXPRESSIONS.index(one), EXPRESSIONS.index(other)
        np.testing.assert_array_equal(FACES[a], FACES[b])
        assert np.abs(VOICES[a] - VOICES[b]).max() > 1
    expr = np.concatenate([affect.expr for _, affect in lives])
    actions = np.concatenate([affect.actions for _, affect in lives])
    means = np.array([actions[expr == i].mean(axis=0) for i in range(8)])
    gaps = np.abs(means[:, None] - means[None]).max(axis=2)
    pairs = {(1, 2), (3, 6)}
    for i in range(8):
        for j in range(i + 1, 8):
            assert (gaps[i, j] < 0.12) == ((i, j) in pairs), (EXPRESSIONS[i], EXPRESSIONS[j], gaps[i, j])


def test_single_rows_are_noisy_and_time_helps(lives):
    for _, affect in lives[:5]:
        inside = (affect.actions > 0.3) & (affect.actions < 0.7)
        error = affect.shown_actions - affect.actions
        assert 0.2 < error[inside].std() < 0.4
        assert (
            abs(np.corrcoef(error[1:, 0], error[:-1, 0])[0, 1]) < 0.35
        )  # clipped at 0 and 1, so not quite 0


def test_decks_deal_every_expression_alike():
    dealt = deal_expressions(8, 10.0, np.random.default_rng(0))
    assert np.bincount(dealt.ravel(), minlength=8).tolist() == [3] * 8


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_class_and_unit_has_its_share_of_every_split(size: str, seed: int):
    parts = cast(SIZES[size], seed)
    made = list(witness(parts))
    for split in {part.split for part in parts}:
        of_split = [w.labels for part, w in zip(parts, made, strict=True) if part.split == split]
        expr = np.concatenate([labels["expr"][labels["expr_mask"]] for labels in of_split])
        au = np.concatenate([labels["au"][labels["au_mask"].all(axis=1)] for labels in of_split])
        assert (np.bincount(expr, minlength=8) / len(expr)).min() >= 0.08
        assert au.mean(axis=0).min() >= 0.08


def test_a_track_is_the_same_however_it_is_sampled():
    part = cast(Size(1, 0, 0, 8.0, fps=25.0), seed=0)[0]
    again = part.affect()
    np.testing.assert_array_equal(part.affect().va, again.va)
    np.testing.assert_array_equal(part.affect().shown_actions, again.shown_actions)


def test_identities_and_seeds_of_splits_are_disjoint():
    parts = cast(SIZES["demo"], seed=0)
    assert len({part.seed for part in parts}) == len(parts)
    other = cast(SIZES["demo"], seed=1)
    assert not {part.seed for part in parts} & {part.seed for part in other}


def test_annotators_are_noisy_and_leave_out_what_they_leave_out(lives):
    part, affect = lives[0]
    labels = annotate(affect, part.fps, np.random.default_rng(0))
    error = (labels["va"] - affect.va)[labels["va_mask"]]
    assert 0.03 < error.std() < 0.15
    assert abs(labels["expr_mask"].mean() - 0.55) < 0.03
    assert 0.9 < (labels["expr"] == affect.expr)[labels["expr_mask"]].mean() < 1
    wrong = (labels["au"] == 1) != (affect.actions > ACTION_THRESHOLD)
    assert 0 < wrong[labels["au_mask"]].mean() < 0.06
    assert (labels["va"][~labels["va_mask"]] == -5).all()
