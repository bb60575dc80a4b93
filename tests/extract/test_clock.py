"""Sound on the row clock against its definition, however the vectors arrive."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abaw_jax.extract.clock import RowMeans
from abaw_jax.store.spec import Grid


def run(vectors: np.ndarray, cuts: list[int], times_s, grid: Grid, window_s: float, is_causal: bool = False):
    out: list = []
    means = RowMeans(np.asarray(times_s, float), grid, window_s, is_causal, out.append)
    for piece in np.split(vectors, sorted(cuts)):
        if len(piece):
            means.push(piece)
    means.finish()
    return out


def slowly(vectors: np.ndarray, times_s, grid: Grid, window_s: float, is_causal: bool) -> list:
    """The definition, a row at a time over the whole sound."""
    place, out = grid.times_s(len(vectors)), []
    for t in times_s:
        first, last = (t - window_s, t) if is_causal else (t - window_s / 2, t + window_s / 2)
        inside = (place >= first - 1e-9) & (place <= last + 1e-9)
        able = (place <= t + 1e-9) if is_causal else np.ones(len(place), bool)
        if inside.any():
            out.append(vectors[inside].astype(np.float64).mean(axis=0))
        elif able.any():
            at = np.flatnonzero(able)[np.abs(place[able] - t).argmin()]
            out.append(vectors[at] if abs(place[at] - t) <= 1 / grid.rate_hz + 1e-9 else None)
        else:
            out.append(None)
    return out


@given(
    count=st.integers(0, 120),
    cuts=st.lists(st.integers(0, 120), max_size=5),
    fps=st.sampled_from([6.0, 24.0, 29.97, 30.0]),
    window_s=st.sampled_from([0.0, 0.01, 0.3, 1.0]),
    rate_hz=st.sampled_from([1.04, 10.0, 50.0]),
    is_causal=st.booleans(),
    delay_s=st.sampled_from([-0.4, 0.0, 0.7]),
)
def test_rows_get_what_the_definition_says(count, cuts, fps, window_s, rate_hz, is_causal, delay_s):
    grid = Grid("native", rate_hz=rate_hz, start_s=0.0125)
    vectors = np.random.default_rng(0).standard_normal((count, 3)).astype(np.float32)
    times_s = np.arange(90) / fps + delay_s
    found = run(vectors, cuts, times_s, grid, window_s, is_causal)
    expected = slowly(vectors, times_s, grid, window_s, is_causal)
    assert [x is None for x in found] == [x is None for x in expected]
    for ours, theirs in zip(found, expected, strict=True):
        if theirs is not None:
            np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_rows_past_the_end_of_the_sound_hear_nothing():
    grid = Grid("native", rate_hz=10.0)
    found = run(np.ones((11, 1), np.float32), [], [0.0, 1.0, 1.09, 1.2, 9.0], grid, 0.1)
    assert [x is None for x in found] == [False, False, False, True, True]


def test_a_past_only_row_hears_nothing_of_what_comes():
    grid = Grid("native", rate_hz=10.0, start_s=0.1)
    vectors = np.arange(20.0, dtype=np.float32)[:, None]
    before = run(vectors, [], np.arange(20) / 10, grid, 0.5, is_causal=True)
    changed = vectors.copy()
    changed[10:] += 100
    after = run(changed, [], np.arange(20) / 10, grid, 0.5, is_causal=True)
    assert before[0] is None
    assert [float(x[0]) for x in before[1:11]] == [float(x[0]) for x in after[1:11]]
    assert float(before[11][0]) != float(after[11][0])


def test_no_more_than_a_window_is_held():
    grid = Grid("native", rate_hz=50.0)
    means = RowMeans(np.arange(30_000) / 30, grid, 1.0, False, lambda vector: None)
    held = []
    for _ in range(200):
        means.push(np.zeros((100, 2), np.float32))
        held.append(len(means._held))
    assert max(held) < 200


@pytest.mark.parametrize("shape", [(2,), (3, 4)])
def test_vectors_of_any_shape_are_averaged(shape: tuple[int, ...]):
    vectors = np.ones((20, *shape), np.float32)
    found = run(vectors, [7], [0.5], Grid("native", rate_hz=10.0), 0.5)
    assert found[0].shape == shape
