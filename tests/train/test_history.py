"""What adapts follows from the scores alone."""

import pytest

from abaw_jax.train.history import plateau_scale


def history(*scores: float) -> list[dict]:
    return [{"step": step, "score": score} for step, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("scores", "scale"),
    [
        ((1, 2, 3), 1),
        ((3, 2, 1), 0.1),
        ((3, 2, 4, 3), 1),
        ((3, 2, 1, 2, 1), 0.01),
        ((3, 1, 1, 4, 1, 1), 0.01),
    ],
)
def test_a_plateau_lowers_the_rate_again_and_again(scores, scale: float):
    assert plateau_scale(history(*scores), 0.1, 2) == pytest.approx(scale)


def test_it_is_never_lower_than_the_least():
    assert plateau_scale(history(3, *[1] * 20), 0.1, 2, least=0.05) == 0.05
    assert plateau_scale(history(3, *[1] * 20), 0.1, 0) == 1
