"""The pictures of a run: what is read, which track is chosen, what is drawn, odd cases too."""

import dataclasses
import json
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from abaw_jax.evaluation.table import RowTable
from abaw_jax.evaluation.truth import Truth
from abaw_jax.report import curves
from abaw_jax.report.curves import learning_curve, trajectory
from abaw_jax.report.scene import Scene, most_telling
from abaw_jax.report.standards import landmarks, way

ROWS = 60


def log(path: Path, evaluations: tuple[int, ...], score: str = "va", tail: str = "") -> Path:
    """As a run writes it, every 20 steps."""
    lines = []
    for step in range(20, 401, 20):
        lines.append({"step": step, "loss": 1 / step, "loss/va": 0.3 / step, "loss/au": 0.7 / step})
        if step in evaluations:
            lines.append({"step": step, f"score/{score}": 0.5 - (step - 300) ** 2 / 1e6, "ccc/valence": 0.1})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + tail)
    return path


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """The figures as they are saved."""
    figures: list[Figure] = []
    save = curves.save
    monkeypatch.setattr(curves, "save", lambda figure, out: (figures.append(figure), save(figure, out)))
    return figures


def texts(figure: Figure) -> str:
    return "\n".join(artist.get_text() for artist in figure.findobj(mpl.text.Text))


def lines_of(axis) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_ydata(), float) for line in axis.lines}


def truth_and_table(tracks=("a",), spread=(1.0,), rows: int = ROWS, **more) -> tuple[RowTable, Truth]:
    """All three tasks; each track's labels vary by its own spread."""
    n = rows * len(tracks)
    track, row = np.repeat(np.arange(len(tracks)), rows), np.tile(np.arange(1, rows + 1), len(tracks))
    wave = np.sin(row / 5)[:, None] * np.repeat(spread, rows)[:, None]
    expr = np.where(wave[:, 0] > 0.3, 4, 0)
    au = (wave > np.linspace(-0.5, 0.5, 12)).astype(int) * (np.repeat(spread, rows)[:, None] > 0)
    table = RowTable.build(
        tracks, track, row,
        **{"va": wave * [0.5, 0.4], "expr": np.full((n, 8), 1 / 8), "au": np.full((n, 12), 0.3)} | more,
    )  # fmt: skip
    truth = Truth.build(
        tracks, track, row, va=wave * [0.6, 0.5], va_mask=np.ones(n, bool), expr=expr,
        expr_mask=np.ones(n, bool), au=au, au_mask=np.ones((n, 12), bool),
    )  # fmt: skip
    return table, truth


def test_the_learning_curve_says_the_best_between_floor_and_ceiling(tmp_path: Path, drawn):
    learning_curve(
        log(tmp_path / "m.jsonl", (100, 200, 300, 400)), tmp_path / "new" / "c.png", "va", 0.0, 0.98
    )
    said = texts(drawn[0])
    assert "best 0.500 at step 300" in said
    assert "floor 0.000" in said and "ceiling 0.980" in said
    loss, score = drawn[0].axes
    dashed = [line.get_ydata()[0] for line in score.lines if line.get_linestyle() == "--"]
    assert dashed == [0.0, 0.98]
    assert {"all together", "va", "au"} <= set(lines_of(loss))
    with Image.open(tmp_path / "new" / "c.png") as image:
        assert image.format == "PNG"
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("evaluations", [(), (400,)])
@pytest.mark.parametrize("tail", ["", '{"step": 420, "lo', '{"step": 4'])
def test_the_learning_curve_of_a_run_that_was_cut(evaluations, tail: str, tmp_path: Path, drawn):
    learning_curve(log(tmp_path / "m.jsonl", evaluations, tail=tail), tmp_path / "c.png", "va", None, None)
    assert ("not evaluated yet" in texts(drawn[0])) == (not evaluations)
    assert "floor" not in texts(drawn[0])
    assert len(lines_of(drawn[0].axes[0])["all together"]) == 20


def test_the_learning_curve_of_nothing_yet_and_of_what_is_not_finite(tmp_path: Path, drawn):
    (tmp_path / "m.jsonl").write_text("")
    learning_curve(tmp_path / "m.jsonl", tmp_path / "c.png", "mtl")
    assert "nothing logged yet" in texts(drawn[0])
    (tmp_path / "m.jsonl").write_text('{"step": 1, "loss": NaN}\n{"step": 2, "loss": 3.0}\n')
    learning_curve(tmp_path / "m.jsonl", tmp_path / "c.png", "mtl")
    assert [line.get_ydata().tolist() for line in drawn[1].axes[0].lines] == [[3.0]]
    with pytest.raises(FileNotFoundError, match="no such file; expected the log of a run"):
        learning_curve(tmp_path / "none.jsonl", tmp_path / "c.png", "va")


def test_smoothing_leaves_a_straight_line_straight():
    line = np.arange(40.0)
    np.testing.assert_allclose(curves._smooth(line, 4)[2:-2], line[2:-2])
    np.testing.assert_allclose(curves._smooth(np.ones(40), 6), 1)


def test_pictures_leave_no_setting_behind(tmp_path: Path):
    before = dict(mpl.rcParams)
    learning_curve(log(tmp_path / "m.jsonl", (400,)), tmp_path / "c.png", "va")
    trajectory(*truth_and_table(), tmp_path / "t.png")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("tasks", "titles"),
    [
        (("va",), ["valence", "arousal"]),
        (("expr",), ["expression"]),
        (("au",), ["action units"]),
        (("va", "expr", "au"), ["valence", "arousal", "expression", "action units"]),
    ],
)
def test_a_trajectory_has_a_panel_for_what_is_in_the_table(tasks, titles, tmp_path: Path, drawn):
    table, truth = truth_and_table()
    table = RowTable.build(
        table.tracks,
        table.track,
        table.row,
        time_ms=table.row * 40.0,
        **{task: getattr(table, task) for task in tasks},
    )
    trajectory(table, truth, tmp_path / "t.png")
    assert [axis.get_title(loc="left") for axis in drawn[0].axes] == titles
    assert drawn[0].axes[-1].get_xlabel() == "seconds"
    assert drawn[0].axes[0].get_xlim() == pytest.approx((0.02, ROWS * 0.04 + 0.02))
    with Image.open(tmp_path / "t.png") as image:
        assert image.width > 1000


def test_a_trajectory_draws_labels_predictions_and_what_lacked(tmp_path: Path, drawn):
    no_face = np.arange(ROWS) < 10
    table, truth = truth_and_table(no_face=no_face)
    trajectory(table, truth, tmp_path / "t.png")
    valence = [line.get_ydata() for line in drawn[0].axes[0].lines]
    assert any(np.allclose(y, table.va[:, 0]) for y in valence if len(y) == ROWS)
    assert any(np.allclose(y, truth.va[:, 0]) for y in valence if len(y) == ROWS)
    assert [text.get_text() for text in drawn[0].legends[0].texts] == ["model", "annotators", "no face"]
    assert "row (its time is not known)" in texts(drawn[0])
    scene = Scene.of(table, truth, "a")
    assert scene.spans(no_face) == [(0.5, 10.0)]
    assert scene.spans(np.zeros(ROWS, bool)) == []


def test_a_label_alone_among_masked_rows_is_a_dot(tmp_path: Path, drawn):
    table, truth = truth_and_table()
    mask = np.arange(ROWS) % 6 == 3
    sparse = Truth.build(truth.tracks, truth.track, truth.row, va=truth.va, va_mask=mask)
    trajectory(table, sparse, tmp_path / "t.png")
    marked = [line.get_markevery() for line in drawn[0].axes[0].lines]
    assert np.flatnonzero(mask).tolist() in marked


def test_the_most_telling_track_varies_where_there_was_something_to_tell_by():
    names, spread = ("still", "some", "much", "gone"), (0.0, 0.4, 0.9, 1.0)
    gone = np.repeat([False, False, False, True], ROWS)
    table, truth = truth_and_table(names, spread, no_face=gone, no_sound=gone)
    assert most_telling(table, truth) == "much"
    table, truth = truth_and_table(("x", "y"), (0.5, 0.5))
    assert most_telling(table, truth) == "x"
    few = truth.take(np.flatnonzero((truth.track == 1) | (truth.row < 4)))
    assert most_telling(table, few) == "y"


def test_a_track_of_which_the_same_is_said_throughout_tells_less():
    table, truth = truth_and_table(("flat", "lively"), (1.0, 0.6))
    is_flat = table.track == 0
    flat = dataclasses.replace(table, va=np.where(is_flat[:, None], np.float32(0.2), table.va))
    assert most_telling(table, truth) == "flat"
    assert most_telling(flat, truth) == "lively"


def test_odd_tables_are_drawn_or_refused(tmp_path: Path, drawn):
    table, truth = truth_and_table(("a", "b"), (1.0, 0.5))
    with pytest.raises(ValueError, match="no track 'c' in the table; it has a, b"):
        trajectory(table, truth, tmp_path / "t.png", "c")
    with pytest.raises(ValueError, match="no predictions of any task"):
        trajectory(RowTable.build(("a",), [0], [1]), truth, tmp_path / "t.png")
    trajectory(table, truth.take(truth.track == 0), tmp_path / "t.png", "b")  # a track without labels
    assert [text.get_text() for text in drawn[0].legends[0].texts] == ["model"]
    trajectory(table.take(np.array([0])), truth, tmp_path / "t.png")  # a still
    trajectory(table, Truth.build((), [], [], va=np.zeros((0, 2)), va_mask=[]), tmp_path / "t.png")
    gaps = table.va.copy()
    gaps[5:20] = np.nan
    gappy, _ = truth_and_table(("$1 costs $2", "b"), (1.0, 0.5), va=gaps, expr=None, au=None)
    trajectory(gappy, truth, tmp_path / "t.png", "$1 costs $2")
    assert "track $1 costs $2" in texts(drawn[-1])


def test_a_long_track_is_drawn_without_a_warning(tmp_path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trajectory(*truth_and_table(rows=5000), tmp_path / "t.png")


def test_landmarks_and_the_way_between_them():
    standards = {
        "floor": {"va": {"score": 0.0}, "expr": {"score": 0.02}, "au": {"score": 0.1}},
        "window, both": {"va": {"score": 0.7}, "expr": {"score": 0.6}, "au": {"score": 0.8}},
        "ceiling": {"va": {"score": 0.9}},
    }
    found = landmarks(standards, "va")
    assert (found.floor, found.oracle, found.ceiling) == (0.0, 0.7, 0.9)
    found = landmarks(standards, "mtl")
    assert (found.floor, found.oracle) == pytest.approx((0.12, 2.1))
    assert found.ceiling is None
    assert landmarks(None, "va").floor is None
    assert way(0.35, 0.0, 0.7) == pytest.approx(0.5)
    assert way(0.35, None, 0.7) is None and way(0.35, 0.7, 0.7) is None
