import cmath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abaw_jax.faces.align import TEMPLATE_112, align, similarity

FLAT = np.column_stack([TEMPLATE_112[:, 0], np.full(5, 60.0)])


def placed(scale: float, turn: float, centre: complex) -> np.ndarray:
    points = (TEMPLATE_112 @ (1, 1j) - 56 - 56j) * cmath.rect(scale, turn) + centre
    return np.column_stack([points.real, points.imag])


@given(scale=st.floats(0.05, 50), turn=st.floats(-3.1, 3.1), x=st.floats(-500, 2500), y=st.floats(-500, 1500))
def test_landmarks_land_on_the_template(scale, turn, x, y):
    landmarks = placed(scale, turn, complex(x, y))
    a, b = similarity(landmarks)
    landed = a * (landmarks @ (1, 1j)) + b
    np.testing.assert_allclose(landed, TEMPLATE_112 @ (1, 1j), atol=1e-8)


@given(st.lists(st.tuples(st.floats(0, 900), st.floats(0, 900)), min_size=5, max_size=5))
def test_no_other_similarity_is_closer(points):
    landmarks = np.array(points, float)
    if (fit := similarity(landmarks)) is None:
        return
    columns = np.zeros((10, 4))  # x' = p x - q y + r, y' = q x + p y + s, as ordinary least squares
    columns[:5, 0], columns[:5, 1], columns[:5, 2] = landmarks[:, 0], -landmarks[:, 1], 1
    columns[5:, 0], columns[5:, 1], columns[5:, 3] = landmarks[:, 1], landmarks[:, 0], 1
    p, q, r, s = np.linalg.lstsq(columns, TEMPLATE_112.T.ravel(), rcond=None)[0]
    np.testing.assert_allclose(fit, (complex(p, q), complex(r, s)), atol=1e-6)


def test_a_mirrored_face_is_not_mirrored_back():
    picture = np.zeros((300, 300, 3), np.uint8)
    for channel, (row, column) in enumerate([(140, 140), (140, 160), (160, 150)]):
        picture[row - 4 : row + 5, column - 4 : column + 5, channel] = 255
    crop = align(picture, (TEMPLATE_112 - 56) * (-1, 1) + 150).astype(float)
    weights = crop / crop.sum(axis=(0, 1))
    red, green, blue = np.einsum("hwc,khw->ck", weights, np.indices((112, 112))[::-1]) @ (1, 1j)
    assert (np.conj(green - red) * (blue - red)).imag > 0  # still clockwise, as rows go down


@pytest.mark.parametrize(
    "landmarks",
    [np.zeros((5, 2)), np.full((5, 2), 40.0), np.full((5, 2), np.nan), np.full((5, 2), np.inf)],
    ids=["origin", "one point", "nan", "infinite"],
)
def test_points_without_direction_have_no_alignment(landmarks):
    assert similarity(landmarks) is None
    assert align(np.zeros((90, 90, 3), np.uint8), landmarks) is None


def test_points_on_a_line_still_have_one():
    a, b = similarity(FLAT)
    assert abs(a) > 0.1
    assert cmath.isfinite(b)


def smooth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A picture known between its pixels."""
    waves = (np.sin(x / 61), np.sin(y / 47), np.cos((x + y) / 80))
    return 127.5 + 120 * np.stack(waves, axis=-1)


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.7, 3.4, 5.0])
@pytest.mark.parametrize("turn", [0.0, -0.6])
def test_pixels_of_the_crop_are_those_that_the_similarity_points_at(scale, turn):
    x, y = np.meshgrid(np.arange(900.0), np.arange(800.0))
    landmarks = placed(scale, turn, 450 + 400j)
    crop = align(smooth(x, y).round().astype(np.uint8), landmarks)
    a, b = similarity(landmarks)
    column, row = np.meshgrid(np.arange(112), np.arange(112))
    source = (column + 1j * row - b) / a
    wanted = smooth(source.real, source.imag)
    assert np.abs(crop - wanted).mean() < 1.0
    assert abs((crop - wanted).mean()) < 0.5  # Pillow cuts off fractions where it turns


@pytest.mark.parametrize("scale", [1.5, 2.2, 3.7, 8.0])
def test_large_faces_do_not_alias(scale):
    board = np.indices((1200, 1200)).sum(axis=0) % 2 * 255
    crop = align(board.astype(np.uint8)[..., None].repeat(3, axis=2), placed(scale, 0.3, 600 + 600j))
    assert np.abs(crop[8:-8, 8:-8].astype(int) - 127).max() < 30


def test_beyond_the_frame_is_black():
    white = np.full((100, 100, 3), 255, np.uint8)
    half = align(white, placed(1, 0, 100 + 50j))
    assert half[56, 20].tolist() == [255] * 3
    assert half[56, 100].tolist() == [0] * 3
    assert not align(white, placed(1, 0, 900 + 50j)).any()


def test_another_size_shows_the_same():
    x, y = np.meshgrid(np.arange(400.0), np.arange(300.0))
    picture = smooth(x, y).round().astype(np.uint8)
    small, large = (align(picture, placed(1.5, 0.2, 200 + 150j), size) for size in (56, 224))
    assert small.shape == (56, 56, 3)
    halved = large.reshape(56, 4, 56, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - halved).mean() < 4
