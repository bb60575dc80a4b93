import numpy as np
import pytest

from abaw_jax.faces.looks import VIEWS, Album, look_of
from abaw_jax.faces.shots import Shots
from abaw_jax.faces.tracking import Tracker, Tracking

FPS = 25


def box(x: float, y: float = 180, size: float = 80) -> tuple[float, float, float, float]:
    return x - size / 2, y - size / 2, x + size / 2, y + size / 2


def boxes(*some) -> np.ndarray:
    return np.array(some, float).reshape(-1, 4)


def run(tracker: Tracker, frames: list[list], looks: list | None = None, start: int = 0) -> list[list[int]]:
    """The ids of each frame; `frames` hold boxes."""
    return [
        tracker.update((start + k) / FPS, boxes(*some), looks[k] if looks else None).tolist()
        for k, some in enumerate(frames)
    ]


def a_look(seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=192)
    return values / np.linalg.norm(values)


@pytest.mark.parametrize("speed_px", [4, 9, 16])
@pytest.mark.parametrize("hidden_px", [0, 60])
def test_two_who_cross_keep_their_ids(speed_px, hidden_px):
    """The one behind is not detected while the other is in front of it."""
    rng = np.random.default_rng(speed_px)
    tracker, owners = Tracker(), []
    for k in range(-int(200 / speed_px), int(200 / speed_px)):
        front, back = 320 + speed_px * k, 320 - speed_px * k
        some = [("front", box(front + rng.normal(0, 1)))]
        if abs(front - back) >= hidden_px:
            some.append(("back", box(back + rng.normal(0, 1), 186, 74)))
        order = rng.permutation(len(some))
        ids = tracker.update(k / FPS, boxes(*(some[i][1] for i in order)))
        owners += [(some[i][0], id_) for i, id_ in zip(order, ids.tolist(), strict=True)]
    assert len(set(owners)) == 2
    assert len({id_ for _, id_ in owners}) == 2


@pytest.mark.parametrize("speed_px", [0, 5])
def test_half_a_second_out_of_sight_keeps_the_id(speed_px):
    frames = [[] if 30 <= k < 43 else [box(150 + speed_px * k)] for k in range(70)]
    assert {id_ for ids in run(Tracker(), frames) for id_ in ids} == {0}


def test_who_is_gone_longer_than_the_gap_and_has_no_look_is_somebody_new():
    frames = [[] if 30 <= k < 60 else [box(150)] for k in range(70)]
    assert {id_ for ids in run(Tracker(Tracking(max_gap_s=1.0)), frames) for id_ in ids} == {0, 1}


def test_left_and_right_stay_apart_when_detections_drop_at_random():
    rng = np.random.default_rng(3)
    tracker, owners = Tracker(), set()
    for k in range(500):
        places = {"left": 200 + 10 * np.sin(k / 20), "right": 440 + 15 * np.sin(k / 13)}
        seen = [name for name in places if rng.random() > 0.3]
        rng.shuffle(seen)
        ids = tracker.update(k / FPS, boxes(*(box(places[n] + rng.normal(0, 2)) for n in seen)))
        owners |= set(zip(seen, ids.tolist(), strict=True))
    assert len(owners) == 2


def test_after_a_cut_another_face_in_the_same_place_is_somebody_new():
    tracker = Tracker()
    for k in range(10):
        assert tracker.update(k / FPS, boxes(box(300)), [a_look(1)]).tolist() == [0]
    assert tracker.update(10 / FPS, boxes(box(300)), [a_look(2)], is_cut=True).tolist() == [1]


def test_after_a_cut_the_same_look_is_the_same_person_wherever_it_is():
    tracker = Tracker()
    tracker.update(0.0, boxes(box(200), box(450)), [a_look(1), a_look(2)])
    ids = tracker.update(1 / FPS, boxes(box(100), box(300, 90, 200)), [a_look(2), a_look(1)], is_cut=True)
    assert ids.tolist() == [1, 0]
    assert tracker.update(9.0, boxes(box(500)), [a_look(2)]).tolist() == [1]


def test_without_looks_a_cut_makes_everybody_new():
    tracker = Tracker()
    tracker.update(0.0, boxes(box(200)))
    assert tracker.update(1 / FPS, boxes(box(200)), is_cut=True).tolist() == [1]


def test_ids_are_unlike_within_a_frame_and_memory_is_bounded():
    rng = np.random.default_rng(0)
    tracker = Tracker(Tracking(remembered=16))
    for k in range(300):
        some = [box(*rng.uniform(0, 600, 2), rng.uniform(20, 200)) for _ in range(rng.integers(0, 6))]
        ids = tracker.update(k / FPS, boxes(*some), [a_look(int(rng.integers(40))) for _ in some])
        assert len(set(ids.tolist())) == len(some)
        assert len(tracker._persons) <= 16


def test_flat_boxes_do_no_harm():
    tracker = Tracker()
    for k in range(3):
        assert tracker.update(k / FPS, boxes((5, 5, 5, 5), (9, 9, 3, 3))).shape == (2,)


def test_a_cut_is_told_from_motion_and_noise():
    rng = np.random.default_rng(1)
    x, y = np.meshgrid(np.arange(700), np.arange(90))
    room = (
        (127 + 60 * np.sin(x / 40) + 50 * np.cos((x + 2 * y) / 70)).astype(np.uint8)[..., None].repeat(3, 2)
    )
    shots = Shots()
    for k in range(60):  # a pan of 4 px a frame
        noisy = np.clip(room[:, 4 * k : 4 * k + 160] + rng.normal(0, 8, (90, 160, 3)), 0, 255)
        assert not shots.is_cut(noisy.astype(np.uint8))
    assert shots.is_cut(255 - room[:, :160])
    assert not shots.is_cut(255 - room[:, 4:164])


def test_looks_of_one_person_are_closer_than_those_of_strangers(people):
    frames, landmarks = people(range(10), 2)
    looks = np.stack([look_of(*one) for one in zip(frames, landmarks, strict=True)])
    likeness = looks @ looks.T
    same = likeness[np.arange(0, 20, 2), np.arange(1, 20, 2)]
    is_other = np.arange(20)[:, None] // 2 != np.arange(20)[None] // 2
    assert np.median(same) > np.quantile(likeness[is_other], 0.95)
    assert (likeness[is_other] > Tracking().likeness).mean() < 0.03


def test_looks_do_not_mind_the_light(people):
    frames, landmarks = people(range(1), 1)
    dim = (frames[0] * 0.6).astype(np.uint8)
    assert look_of(frames[0], landmarks[0]) @ look_of(dim, landmarks[0]) > 0.99


def test_an_album_knows_different_views_and_forgets_the_oldest():
    album = Album()
    assert album.likeness(a_look(0)) == 0
    for seed in range(VIEWS + 1):
        for _ in range(3):
            album.add(a_look(seed))
    assert album.likeness(a_look(0)) < 0.9
    assert all(album.likeness(a_look(seed)) == pytest.approx(1) for seed in range(1, VIEWS + 1))
    album.add(np.zeros(192))
    assert album.likeness(a_look(1)) == pytest.approx(1)
