import dataclasses
import itertools

import numpy as np
import pytest

from abaw_jax.faces.align import TEMPLATE_112, align
from abaw_jax.faces.crops import CropSettings, crops, landmarks_at
from abaw_jax.faces.detection import Faces
from abaw_jax.faces.follow import follow
from abaw_jax.faces.subjects import choose, sides_of

ROOM = (120, 200)


@dataclasses.dataclass(frozen=True)
class Frame:
    index: int
    time_s: float
    image: np.ndarray


def video(images, fps: float = 25.0) -> list[Frame]:
    return [Frame(k, k / fps, image) for k, image in enumerate(images)]


SHADES = {"ann": (200, 40, 40), "bob": (40, 60, 200), "cat": (40, 180, 60)}


class Painted:
    """Finds squares of the three shades: a detector that is never wrong, and how often it was asked."""

    def __init__(self) -> None:
        self.searched = 0

    def __call__(self, images: np.ndarray) -> list[Faces]:
        self.searched += len(images)
        return [self.find(image) for image in images]

    def find(self, image: np.ndarray) -> Faces:
        boxes = []
        for shade in SHADES.values():
            rows, columns = np.nonzero((image == shade).all(axis=2))
            if len(rows):
                boxes.append((columns.min(), rows.min(), columns.max() + 1.0, rows.max() + 1.0))
        found = np.array(boxes, float).reshape(-1, 4)
        unit = (TEMPLATE_112 - 20) / 72
        corners, sizes = found[:, None, :2], found[:, None, 2:] - found[:, None, :2]
        return Faces(found, np.ones(len(found)), corners + unit * sizes)


def paint(wall: int = 90, **people: tuple[int, int]) -> np.ndarray:
    """A room with squares: name=(left edge, side)."""
    image = np.full((*ROOM, 3), wall, np.uint8)
    for name, (left, side) in people.items():
        image[30 : 30 + side, left : left + side] = SHADES[name]
    return image


def cut_out(frames: list[Frame], names: list[str], **settings):
    return list(crops(lambda: iter(frames), names, Painted(), CropSettings(**settings)))


def shade_of(crop: np.ndarray) -> str:
    middle = crop[40:70, 40:70].mean(axis=(0, 1))
    return min(SHADES, key=lambda name: np.abs(middle - SHADES[name]).sum())


def test_the_only_track_is_the_person_that_fills_most_of_the_video():
    frames = video([paint(ann=(20, 50), bob=(120, 30)) for _ in range(10)] + [paint(bob=(120, 30))] * 8)
    cut = cut_out(frames, ["7-60-640x360"])
    assert [index for index, _ in cut] == list(range(18))
    assert all(shade_of(rows["7-60-640x360"]) == "ann" for _, rows in cut[:10])
    assert all(rows["7-60-640x360"] is None for _, rows in cut[10:])


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["v_left", "v_right"], {"v_left": "ann", "v_right": "bob"}),
        (["v", "v_right"], {"v": "ann", "v_right": "bob"}),
        (["v", "v_left"], {"v": "bob", "v_left": "ann"}),
        (["v_right"], {"v_right": "bob"}),
    ],
)
def test_two_subjects_are_told_apart_by_their_order(names, wanted):
    frames = video(
        paint(ann=(20 + k, 40), bob=(110 - k, 50), **({"cat": (170, 20)} if k % 2 else {})) for k in range(16)
    )
    for _, rows in cut_out(frames, names):
        assert {name: shade_of(crop) for name, crop in rows.items()} == wanted


@pytest.mark.parametrize(("left", "side"), [(20, "left"), (130, "right")])
def test_one_person_for_two_tracks_is_on_the_side_where_they_are(left, side):
    cut = cut_out(video([paint(ann=(left, 40))] * 5), ["v_left", "v_right"])
    other = {"left": "right", "right": "left"}[side]
    assert all(rows[f"v_{side}"] is not None and rows[f"v_{other}"] is None for _, rows in cut)


def test_one_person_with_two_numbers_is_not_taken_for_two():
    """Ann is large and in other light is somebody new as far as looks can tell; Bob is small."""
    images = [paint(ann=(20, 60), bob=(140, 30))] * 20 + [paint(bob=(140, 30))] * 10
    images += [paint(wall=250, ann=(24, 60), bob=(140, 30))] * 20
    sightings = list(follow(video(images, fps=5), Painted()))
    assert len({id_ for s in sightings for id_ in s.ids.tolist()}) > 2
    persons = choose(sightings, ["v_left", "v_right"])
    for person, low, high in ((persons["v_left"], 0, 0.5), (persons["v_right"], 0.5, 1)):
        places = [s.faces.boxes[s.ids == person][0, 0] / s.width_px for s in sightings if person in s.ids]
        assert places
        assert low <= min(places) <= max(places) <= high


@pytest.mark.parametrize("names", [[], ["v", "w"], ["v", "v_left", "v_right"], ["v_left", "w_left"]])
def test_names_that_are_no_tracks_of_one_video_are_an_error(names):
    with pytest.raises(ValueError, match="tracks of one video"):
        sides_of(names)


def test_a_video_without_faces_has_every_row_and_no_crop():
    cut = cut_out(video([paint()] * 11), ["v_left", "v_right"])
    assert cut == [(k, {"v_left": None, "v_right": None}) for k in range(11)]


def test_a_video_without_frames_has_no_rows():
    assert cut_out([], ["v"]) == []


@pytest.mark.parametrize("detect_every", [2, 3, 5])
def test_landmarks_between_searched_frames_are_interpolated(detect_every):
    frames = video([paint(ann=(20 + 3 * k, 40)) for k in range(31)])
    detector = Painted()
    thinned = list(follow(frames, detector, detect_every=detect_every))
    assert detector.searched == len(range(0, 31, detect_every))
    whole = list(follow(frames, Painted()))
    for k in range(30 // detect_every * detect_every):
        np.testing.assert_allclose(landmarks_at(thinned, k, 0, detect_every), whole[k].landmarks_of(0))


def test_nothing_is_interpolated_across_a_cut():
    images = [paint(ann=(20, 40))] * 6 + [paint(wall=250, bob=(120, 50))] * 6
    sightings = list(follow(video(images), Painted(), detect_every=4))
    assert [s.shot for s in sightings] == [0] * 6 + [1] * 6
    ann, bob = (int(s.ids[0]) for s in (sightings[0], sightings[8]))
    assert ann != bob
    assert [landmarks_at(sightings, k, ann, 4) is not None for k in range(12)] == [True] * 6 + [False] * 6
    assert [landmarks_at(sightings, k, bob, 4) is not None for k in range(12)] == [False] * 6 + [True] * 6


def test_frames_are_searched_a_few_at_a_time():
    drawn = itertools.count()
    endless = (Frame(next(drawn), k / 25, paint(ann=(20, 40))) for k in itertools.count())
    next(iter(follow(endless, Painted())))
    assert next(drawn) <= 8


def test_a_video_may_change_its_size():
    frames = video([paint(ann=(20, 40))] * 3 + [paint(ann=(20, 40)).repeat(2, axis=0).repeat(2, axis=1)] * 3)
    assert all(rows["v"] is not None for _, rows in cut_out(frames, ["v"]) if rows)


def test_crops_are_aligned_faces():
    frame = paint(ann=(20, 40))
    (_, rows), *_ = cut_out(video([frame]), ["v"])
    np.testing.assert_array_equal(rows["v"], align(frame, Painted().find(frame).landmarks[0]))


def test_a_real_face_is_one_person_in_every_frame(detector, real):
    frames = video(real("single_face.mp4"), fps=30)
    sightings = list(follow(frames, detector))
    assert sum(list(s.ids) == [0] for s in sightings) >= 0.95 * len(frames)
    assert {id_ for s in sightings for id_ in s.ids.tolist()} == {0}


def test_a_synthetic_person_is_cut_out_where_they_are(detector, people):
    frames, landmarks = people(range(1), 6)
    cut = list(crops(lambda: iter(video(frames)), ["v"], detector))
    for (_, rows), frame, points in zip(cut, frames, landmarks, strict=True):
        assert np.abs(rows["v"].astype(int) - align(frame, points)).mean() < 16


def test_a_cut_to_somebody_else_and_back_is_followed_in_pixels(detector, people):
    frames, _ = people(range(2), 1)
    scene = [frames[0]] * 5 + [frames[1]] * 5 + [frames[0]] * 5
    rng = np.random.default_rng(0)
    noisy = [np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8) for image in scene]
    sightings = list(follow(video(noisy), detector))
    assert [s.shot for s in sightings] == [0] * 5 + [1] * 5 + [2] * 5
    assert [s.ids.tolist() for s in sightings] == [[0]] * 5 + [[1]] * 5 + [[0]] * 5
