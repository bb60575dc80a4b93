"""What is said while a command works, where nobody draws bars."""

import pytest

from abaw_jax import terminal


@pytest.mark.parametrize(("first", "left"), [(0, "30 s left"), (20, "60 s left"), (80, "60 s left")])
def test_time_left_counts_from_where_it_was_first_seen(first: int, left: str, monkeypatch, capsys):
    """A run that goes on at step 80 has not made 80 steps since."""
    now = [100.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    show = terminal._plain("train")
    total = {0: 100, 20: 100, 80: 160}[first]
    now[0] += 5
    show("training", first, total, "loss 1")
    assert "left" not in capsys.readouterr().err
    now[0] += 20
    show("training", 40 if first < 40 else 100, total, "loss 1")
    assert capsys.readouterr().err.strip().endswith(left)
