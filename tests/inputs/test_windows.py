"""Plans against the definition written out for one window at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abaw_jax.inputs.plan import Timeline, make_plan
from abaw_jax.inputs.windows import Native, Present, Rows, Seconds, WindowSpec, contiguous
from abaw_jax.store.spec import Grid


def timeline(
    rows: int, fps: float = 25.0, present=None, vectors: int | None = None, labelled=None
) -> Timeline:
    present = (
        np.ones(rows if vectors is None else vectors, bool) if present is None else np.array(present, bool)
    )
    labelled = np.ones(rows, bool) if labelled is None else np.array(labelled, bool)
    times = 0.1 + np.arange(rows) / fps
    return Timeline("t", rows, fps, times, {"s": len(present)}, {"s": present}, labelled)


def spec(reach=None, targets=(0,), **more) -> WindowSpec:
    return WindowSpec(targets, {"s": reach or Rows((0,))}, **more)


def plan_of(spec: WindowSpec, *timelines: Timeline, grid: Grid | None = None, for_training: bool = False):
    return make_plan(spec, timelines, {"s": grid or Grid()}, for_training)


def seen(plan, window: int) -> list[int | None]:
    """The vectors of the stream, None where masked."""
    index, inside = plan.streams["s"].of(np.array([window]))
    return [int(i) if ok else None for i, ok in zip(index[0], inside[0], strict=True)]


@given(
    rows=st.integers(0, 40), width=st.integers(1, 9), stride=st.integers(1, 12),
    edge=st.sampled_from(["mask", "clamp", "shift"]),
)  # fmt: skip
def test_every_row_is_a_target_where_windows_are_no_further_apart_than_wide(rows, width, stride, edge):
    stride = min(stride, width)
    plan = plan_of(contiguous(width, ("s",), 1, stride, edge=edge), timeline(rows))
    index, inside = plan.targets.of(np.arange(len(plan)))
    assert set(index[inside].tolist()) == set(range(rows))
    assert (np.diff(plan.anchor) > 0).all()


def test_a_shifted_window_ends_with_its_track():
    plan = plan_of(contiguous(300, ("s",), 200, 200, edge="shift"), timeline(750), timeline(200))
    assert plan.anchor.tolist() == [0, 200, 400, 450, 0]
    assert seen(plan, 4) == [*range(200), *[None] * 100]


def test_masked_windows_hang_over_and_clamped_ones_repeat_the_end():
    for edge, end in (("mask", [8, 9, None, None]), ("clamp", [8, 9, 9, 9])):
        plan = plan_of(contiguous(4, ("s",), 4, 4, edge=edge), timeline(10))
        assert plan.anchor.tolist() == [0, 4, 8]
        assert seen(plan, 2) == end


@pytest.mark.parametrize("edge", ["mask", "clamp", "shift"])
def test_sound_that_has_ended_is_not_heard_on_and_on(edge: str):
    grid = Grid("native", rate_hz=50.0)
    plan = plan_of(spec(Native(-0.2, 10), edge=edge), timeline(25, vectors=30), grid=grid)
    assert seen(plan, 24)[-1] is None  # row 24 stands at 1.06 s, the sound ends at 0.6 s
    assert seen(plan, 0) == [*[None] * 5, *range(5)]


def test_windows_that_do_not_fit_are_skipped():
    plan = plan_of(spec(Rows.span(-2, 3), edge="skip"), timeline(7))
    assert plan.anchor.tolist() == [2, 3, 4]


def test_the_past_alone():
    plan = plan_of(spec(Rows.span(-3, 1)), timeline(6))
    assert seen(plan, 1) == [None, None, 0, 1]
    assert plan.spec.ahead == ()
    assert spec(Rows.span(-3, 2)).ahead == ("s",)


def test_a_target_some_rows_after_the_anchor():
    plan = plan_of(spec(Rows.span(-2, 1), targets=(3,)), timeline(6))
    assert plan.anchor.tolist() == [-3, -2, -1, 0, 1, 2]
    assert seen(plan, 5) == [0, 1, 2]


@pytest.mark.parametrize("fps", [7.5, 25.0, 29.97, 60.0])
def test_seconds_become_rows_by_each_tracks_own_rate(fps):
    offsets = (-1.0, -0.5, 0.0)
    plan = plan_of(spec(Seconds(offsets)), timeline(200, 30.0), timeline(200, fps))
    assert seen(plan, 200 + 100) == [100 + round(offset * fps) for offset in offsets]


def test_a_span_of_a_streams_own_clock_starts_at_the_first_vector_in_time():
    grid = Grid("native", rate_hz=50.0, start_s=0.0125)
    track = timeline(50, 25.0, vectors=100)
    plan = plan_of(spec(Native(-0.2, 10)), track, grid=grid)
    for window in (0, 5, 30, 49):
        first = next(v for v in range(-50, 200) if 0.0125 + v / 50 >= track.times_s[window] - 0.2 - 1e-9)
        assert seen(plan, window) == [v if 0 <= v < 100 else None for v in range(first, first + 10)]


@given(
    present=st.lists(st.booleans(), min_size=1, max_size=40), past=st.integers(0, 12), count=st.integers(1, 6)
)
def test_rows_spread_over_those_that_are_there(present, past, count):
    plan = plan_of(spec(Present(-past / 25, 0.0, count)), timeline(len(present), 25.0, present))
    for anchor in range(len(present)):
        there = [row for row in range(max(0, anchor - past), anchor + 1) if present[row]]
        ranks = [i * (len(there) - 1) / max(count - 1, 1) for i in range(count)]
        wanted = [there[round(rank)] for rank in ranks] if there else [None] * count
        assert seen(plan, anchor) == wanted


@given(
    rows=st.integers(1, 60), fps=st.sampled_from([10.0, 25.0, 30.0]), hz=st.sampled_from([1.0, 4.0, 100.0])
)
def test_a_sparser_grid_gives_the_vector_that_came_before(rows, fps, hz):
    grid = Grid("rows", sample_hz=hz)
    with_vector = (grid.rows(rows, fps) - 1).tolist()
    plan = plan_of(spec(Rows((-1, 0, 1))), timeline(rows, fps, vectors=len(with_vector)), grid=grid)
    for anchor in range(rows):
        wanted = [
            max(v for v, r in enumerate(with_vector) if r <= row) if 0 <= row < rows else None
            for row in (anchor - 1, anchor, anchor + 1)
        ]
        assert seen(plan, anchor) == wanted


def test_training_leaves_out_windows_without_a_label_and_evaluation_does_not():
    labelled = [False] * 8 + [True] * 4
    track = timeline(12, labelled=labelled)
    kind = contiguous(4, ("s",), 2, 4)
    assert plan_of(kind, track, for_training=True).anchor.tolist() == [6, 8]
    assert plan_of(kind, track).anchor.tolist() == [0, 4, 8]


def test_a_track_of_no_rows_has_no_windows():
    plan = plan_of(contiguous(4, ("s",), 2, 2), timeline(0), timeline(3))
    assert plan.track.tolist() == [1]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"edge": "wrap"}, "window.edge: found 'wrap', expected one of: mask, clamp, shift, skip"),
        ({"overlap": "median"}, "window.overlap"),
        ({"stride": 0}, "window.stride: found 0"),
        ({"targets": (2, 1)}, "window.targets"),
    ],
)
def test_nonsense_is_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        spec(**wrong)


def test_a_clock_of_its_own_is_not_read_in_rows():
    with pytest.raises(ValueError, match="s has its own clock"):
        plan_of(spec(Rows((0,))), timeline(5), grid=Grid("native", rate_hz=50.0))


@pytest.mark.parametrize("edge", ["mask", "clamp"])
def test_where_nothing_is_there_nothing_is_seen_whatever_the_edge(edge: str):
    present = [False] * 10 + [True] * 5
    plan = plan_of(spec(Present(-0.2, 0.0, 2), edge=edge), timeline(15, 25.0, present))
    assert seen(plan, 3) == [None, None]
    assert seen(plan, 14) == [10, 14]


def test_the_beginning_is_predicted_but_not_learnt_from_where_so_asked():
    past = spec(Rows.span(-3, 1), learn_from_s=0.2, stride=2)
    assert plan_of(past, timeline(12), for_training=True).anchor.tolist() == [6, 8, 10]  # row 5 is at 0.2 s
    assert plan_of(past, timeline(12)).anchor.tolist() == list(range(12))


@pytest.mark.parametrize("fps", [25.0, 30.0, 29.97])
def test_moments_as_far_apart_as_a_sparse_grid_take_each_of_its_vectors_once(fps: float):
    grid = Grid(sample_hz=4.0)
    rows = round(20 * fps)
    vectors = len(grid.rows(rows, fps))
    around = spec(Seconds(tuple((np.arange(16) * 0.25 - 1.875).tolist())))
    plan = plan_of(around, timeline(rows, fps, vectors=vectors), grid=grid)
    for window in range(0, rows, 7):
        taken = seen(plan, window)
        there = [v for v in taken if v is not None]
        assert there == list(range(there[0], there[-1] + 1)) and len(there) >= 8
        row_of = grid.rows(rows, fps)[there] - 1
        offsets = (row_of - window) / fps
        assert offsets.min() >= -1.875 - 0.25 and offsets.max() <= 1.875 + 1 / fps
    back = spec(Seconds(tuple((np.arange(16) * 0.25 - 3.75).tolist())))
    plan = plan_of(back, timeline(rows, fps, vectors=vectors), grid=grid)
    for window in range(rows):
        last = [v for v in seen(plan, window) if v is not None][-1]
        assert 0 <= window - (grid.rows(rows, fps)[last] - 1) < 0.25 * fps + 1
