import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from abaw_jax.faces.boxes import areas, moved, overlaps, squares, suppress

SOME = hnp.arrays(
    np.float64, st.tuples(st.integers(0, 12), st.just(4)), elements=st.integers(0, 30).map(float)
)


def test_overlaps_of_boxes_drawn_on_paper():
    boxes = np.array([(0, 0, 4, 4), (2, 0, 6, 4), (1, 1, 2, 2), (9, 9, 9, 9.0)])
    np.testing.assert_allclose(overlaps(boxes[:1], boxes)[0], [1, 8 / 24, 1 / 16, 0])
    np.testing.assert_allclose(overlaps(boxes[:1], boxes, of_smaller=True)[0], [1, 0.5, 1, 0])


def test_a_box_falls_only_to_one_that_stays():
    chain = np.array([(0, 0, 10, 10), (4, 0, 14, 10), (8, 0, 18, 10.0)])
    assert suppress(chain, np.array([0.9, 0.8, 0.7]), 0.3).tolist() == [0, 2]
    assert suppress(chain, np.array([0.7, 0.9, 0.8]), 0.3).tolist() == [1]


@given(SOME, st.floats(0, 1))
def test_what_stays_is_apart_and_what_goes_is_near_something_better(boxes, threshold):
    scores = np.random.default_rng(0).permutation(len(boxes)).astype(float)
    kept = suppress(boxes, scores, threshold)
    shared = overlaps(boxes, boxes)
    assert (np.diff(scores[kept]) < 0).all()
    for box in range(len(boxes)):
        better = [other for other in kept if scores[other] > scores[box] and shared[box, other] > threshold]
        assert (box in kept) == (not better)


@given(SOME)
def test_squares_hold_upright_boxes_and_keep_their_middles(boxes):
    boxes = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    square = squares(boxes)
    np.testing.assert_allclose(square[:, :2] + square[:, 2:], boxes[:, :2] + boxes[:, 2:])
    assert (square[:, :2] <= boxes[:, :2] + 1e-9).all()
    assert (areas(square) >= areas(boxes) - 1e-9).all()


def test_offsets_are_parts_of_width_and_height():
    shifted = moved(np.array([(10, 20, 19, 39.0)]), np.array([(0.1, -0.1, 0.2, 0.5)]))
    np.testing.assert_allclose(shifted, [(11, 18, 21, 49)])
