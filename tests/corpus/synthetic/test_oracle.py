"""The orderings that the corpus exists for, with margins that luck does not reach."""

import numpy as np
import pytest

from abaw_jax.corpus.synthetic.cast import SIZES, Size, cast
from abaw_jax.corpus.synthetic.make import witness
from abaw_jax.corpus.synthetic.oracle import FRAME, ORACLES, PAST, Oracle, Witness, consult
from abaw_jax.corpus.synthetic.standard import SCORED, of_split, standards
from abaw_jax.evaluation.intervals import compare
from abaw_jax.evaluation.scores import Result

LEADS = {"va": 0.10, "expr": 0.08, "au": 0.08}
"""By how much both modalities must lead the better single one, in CCC and F1."""
TIME_LEADS = 0.05


def judged(size: Size, seed: int) -> dict[str, Result]:
    parts = cast(size, seed)
    made = list(witness(parts))
    train = of_split(parts, made, "train")
    return standards(train, of_split(parts, made, "validation"), train)


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    return judged(Size(train=48, validation=32, test=0, seconds=30.0), seed=5)


def assert_leads(results: dict[str, Result], better: str, worse: str, leads: dict[str, float]) -> None:
    """The lead itself, and the paired bootstrap's word that it is no accident."""
    found = compare(results[better].statistics, results[worse].statistics)
    for task, lead in leads.items():
        assert found[task].difference >= lead, f"{task}: {better} leads {worse} by {found[task]}"
        assert found[task].low > 0, f"{task}: {better} leads {worse} by {found[task]}"


def assert_orderings(results: dict[str, Result]) -> None:
    for single in ("window, face", "window, voice"):
        assert_leads(results, "window, both", single, LEADS)
    assert_leads(results, "window, both", "frame, both", dict.fromkeys(SCORED, TIME_LEADS))
    for name, result in results.items():
        if name != "floor":
            assert_leads(results, name, "floor", dict.fromkeys(SCORED, 0.2))
        if name != "ceiling":
            assert_leads(results, "ceiling", name, dict.fromkeys(SCORED, 0.1))
        assert result.all_rows.valid_rows["va"] > 0


def test_both_modalities_lead_either_and_a_window_leads_a_row(results):
    assert_orderings(results)


def test_the_future_is_harder_than_the_present_and_better_than_the_floor(results):
    assert_leads(
        results, "past, both", "a third of a second ahead, both", {"va": 0.02, "expr": 0.03, "au": 0.03}
    )
    assert_leads(results, "a third of a second ahead, both", "floor", dict.fromkeys(SCORED, 0.3))


def test_each_modality_has_something_that_the_other_has_not(results):
    """Anger and Disgust have one face; the smile of Happiness is seen better than heard."""
    face, voice = results["window, face"].all_rows, results["window, voice"].all_rows
    assert voice.expr_f1["Disgust"] > face.expr_f1["Disgust"] + 0.1
    assert face.au > voice.au


def test_an_oracle_of_the_past_does_not_see_the_future():
    parts = cast(Size(4, 2, 0, 6.0), seed=0)
    made = list(witness(parts))
    train, (scored, _) = of_split(parts, made, "train"), of_split(parts, made, "validation")
    cut = 80
    shown = scored.affect.shown_actions.copy()
    shown[cut:] = 0
    blind = Witness(
        scored.name,
        scored.affect.__class__(**{**scored.affect.__dict__, "shown_actions": shown}),
        scored.labels,
        scored.fps,
    )
    for oracle, reach in (
        (Oracle(("face",), PAST), 0),
        (Oracle(("face",), PAST, 1 / 3), 8),
        (Oracle(("face",), FRAME), 0),
    ):
        (one,), (other,) = consult(oracle, train, [scored]), consult(oracle, train, [blind])
        np.testing.assert_allclose(one.va[: cut + reach], other.va[: cut + reach], atol=1e-9)
        if scored.affect.is_visible[cut:].any():
            assert not np.allclose(one.va[cut + reach :], other.va[cut + reach :])


def test_the_oracles_are_those_the_corpus_promises():
    assert set(ORACLES) == {
        "frame, face", "frame, voice", "frame, both", "window, face", "window, voice", "window, both",
        "past, both", "a third of a second ahead, both",
    }  # fmt: skip


@pytest.mark.full
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_orderings_hold_at_evidence_size(seed: int):
    assert_orderings(judged(SIZES["evidence"], seed))
