import numpy as np
import pytest

from abaw_jax.faces import pyramid
from abaw_jax.faces.detection import DETECTORS, Faces, make_detector
from abaw_jax.faces.mtcnn import CROP_BATCHES, Mtcnn, _in_batches
from abaw_jax.faces.patches import patches


def eye_distances(landmarks: np.ndarray) -> np.ndarray:
    return np.linalg.norm(landmarks[:, 0] - landmarks[:, 1], axis=1)


def test_synthetic_faces_are_found_with_their_landmarks(detector, people):
    check_synthetic(detector, *people(range(36), 2))


@pytest.mark.full
def test_many_synthetic_faces_are_found(detector, people):
    check_synthetic(detector, *people(range(100), 3))


def check_synthetic(detector, frames, landmarks):
    found = detector(frames)
    counts = np.array([len(faces) for faces in found])
    assert (counts > 0).mean() >= 0.95
    assert (counts > 1).mean() <= 0.02
    is_found = counts > 0
    points = np.stack([faces.landmarks[0] for faces in found if len(faces)])
    missed = np.linalg.norm(points - landmarks[is_found], axis=2).mean(axis=1)
    assert np.median(missed / eye_distances(landmarks[is_found])) < 0.08


def test_all_faces_of_a_real_group_are_found(detector, real):
    (faces,) = detector(real("multi_face.jpg"))
    assert len(faces) == 5
    left_eye, right_eye, nose, left_mouth, right_mouth = faces.landmarks.transpose(1, 0, 2)
    assert (left_eye[:, 0] < right_eye[:, 0]).all()
    assert (left_mouth[:, 0] < right_mouth[:, 0]).all()
    assert (left_eye[:, 1] < nose[:, 1]).all()
    assert (nose[:, 1] < left_mouth[:, 1]).all()
    inside = (faces.landmarks > faces.boxes[:, None, :2]) & (faces.landmarks < faces.boxes[:, None, 2:])
    assert inside.all()


def test_nothing_is_found_where_there_is_no_face(detector, real):
    assert not any(len(faces) for faces in detector(real("no_face.mp4")[::4]))


@pytest.mark.full
def test_nothing_is_found_in_any_frame_without_face(detector, real):
    assert not any(len(faces) for faces in detector(real("no_face.mp4")))


def test_a_frame_is_judged_alike_alone_and_among_others(detector, people):
    frames, _ = people(range(3), 1)
    for alone, among in zip([detector(frame[None])[0] for frame in frames], detector(frames), strict=True):
        np.testing.assert_allclose(alone.landmarks, among.landmarks, atol=0.01)


def test_large_frames_are_summed_first_and_give_the_same_faces(people):
    frames, _ = people(range(2), 1)
    large = frames.repeat(4, axis=1).repeat(4, axis=2)
    for small, big in zip(Mtcnn()(frames), Mtcnn()(large), strict=True):
        missed = np.linalg.norm((big.landmarks + 0.5) / 4 - 0.5 - small.landmarks, axis=2).mean()
        assert missed < 0.03 * eye_distances(small.landmarks)[0]


@pytest.mark.parametrize("shape", [(0, 360, 640, 3), (2, 8, 8, 3), (1, 40, 30, 3)])
def test_no_frames_and_tiny_frames_have_no_faces(detector, shape):
    found = detector(np.full(shape, 128, np.uint8))
    assert len(found) == shape[0]
    assert all(len(faces) == 0 and faces.landmarks.shape == (0, 5, 2) for faces in found)


def test_noise_is_no_face_and_no_flood(detector):
    noise = np.random.default_rng(0).integers(0, 256, (1, 360, 640, 3), dtype=np.uint8)
    assert len(detector(noise)[0]) == 0


def test_crops_come_in_few_sizes_whatever_their_number():
    sizes = set()

    def network(_, crops):
        sizes.add(len(crops))
        return crops[:, 0, 0], crops[:, 1, 1]

    for count in (0, 1, 8, 9, 128, 129, 300):
        crops = np.random.default_rng(count).random((count, 4, 4, 3), np.float32)
        first, second = _in_batches(network, {}, crops)
        np.testing.assert_array_equal(first, crops[:, 0, 0])
        np.testing.assert_array_equal(second, crops[:, 1, 1])
    assert sizes <= set(CROP_BATCHES)


def test_the_pyramid_ends_where_a_face_fills_the_frame():
    scales = pyramid.scales(360, 640, 36)
    assert scales[0] == pytest.approx(1 / 3)
    assert min(scales) * 360 >= 12 > min(scales) * 360 * pyramid.STEP
    assert pyramid.scales(30, 640, 36) == ()


@pytest.mark.parametrize(("length", "shrunk", "block"), [(9, 3, 1), (10, 4, 1), (13, 5, 2), (360, 120, 1)])
def test_area_means_keep_the_mean_of_what_they_cover(length, shrunk, block):
    matrix = pyramid.area_means(length, shrunk, block)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-6)
    ramp = (np.arange(length // block) + 0.5) * block
    middles = (np.arange(shrunk) + 0.5) * length / shrunk
    np.testing.assert_allclose(matrix @ ramp, middles, atol=block / 2)


def test_patches_hold_the_pixels_of_their_box_and_grey_beyond_the_frame():
    image = np.zeros((1, 50, 80, 3), np.uint8)
    image[0, 10:30, 20:40] = 255
    inside, beyond = patches(image, np.zeros(2, int), np.array([(21, 11, 38, 28), (-99, -99, -9, -9.0)]), 24)
    np.testing.assert_allclose(inside, 127.5 / 128, rtol=1e-6)
    assert (beyond == 0).all()


def test_another_detector_can_be_named_and_an_unknown_name_is_answered_with_the_list():
    assert isinstance(make_detector("mtcnn", min_face=0.2), Mtcnn)
    assert isinstance(make_detector("abaw_jax.faces.mtcnn:Mtcnn", batch_frames=2), Mtcnn)
    for name in ("mtcn", "no.such.module:thing", "abaw_jax.faces.mtcnn:Nothing"):
        with pytest.raises(KeyError, match=", ".join(DETECTORS)):
            make_detector(name)


def test_faces_are_taken_by_rows():
    faces = Faces(np.arange(8.0).reshape(2, 4), np.array([0.9, 0.8]), np.zeros((2, 5, 2)))
    assert len(faces) == 2
    assert faces[1:].boxes.tolist() == [[4, 5, 6, 7]]
