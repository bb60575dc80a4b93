"""Synthetic faces: every AU shows, where it should, on everybody; nothing shows through what covers it."""

import dataclasses

import numpy as np
import pytest

from abaw_jax.corpus.synthetic.face import AU_NUMBERS, Identity, Look, sample_identity
from abaw_jax.corpus.synthetic.render import render_crops, render_frames

# rows and columns of a 112 pixel crop in which an AU does most of its work
AU_BOX = {
    1: (slice(10, 58), slice(28, 84)),
    2: (slice(10, 58), slice(8, 104)),
    4: (slice(20, 64), slice(18, 94)),
    6: (slice(36, 84), slice(10, 102)),
    7: (slice(38, 66), slice(14, 98)),
    10: (slice(60, 104), slice(26, 86)),
    12: (slice(62, 112), slice(20, 92)),
    15: (slice(76, 112), slice(26, 86)),
    23: (slice(78, 112), slice(28, 84)),
    24: (slice(78, 112), slice(28, 84)),
    25: (slice(78, 112), slice(28, 84)),
    26: (slice(70, 112), slice(14, 98)),
}


def person(seed: int, **changes: object) -> Identity:
    return dataclasses.replace(sample_identity(np.random.default_rng(seed)), **changes)


def still(n: int) -> Look:
    """A look without noise: two frames differ by what they show alone."""
    look = Look.neutral(n)
    look.noise[:] = 0
    return look


def crops(identity: Identity, look: Look, size: int = 112) -> np.ndarray:
    """Each frame rendered alone with the same randomness, so that the alignment jitter is the same."""
    frames = [
        render_crops(identity, look[i : i + 1], np.random.default_rng(0), size)[0] for i in range(len(look))
    ]
    return np.stack(frames).astype(np.float32)


@pytest.mark.parametrize("size", [64, 112, 113])
def test_crops_have_the_size_asked_for(size):
    images = render_crops(person(0), Look.neutral(5), np.random.default_rng(0), size)
    assert images.shape == (5, size, size, 3)
    assert images.dtype == np.uint8
    assert images.std() > 10


def test_no_frames_give_no_crops():
    assert render_crops(person(0), Look.neutral(0), np.random.default_rng(0)).shape == (0, 112, 112, 3)


def test_the_same_randomness_gives_the_same_pixels():
    first, again, other = (
        render_crops(person(1), Look.neutral(3), np.random.default_rng(seed)) for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_identities_differ():
    faces = np.stack([crops(person(seed), still(1), 56)[0] for seed in range(8)])
    apart = np.abs(faces[:, None] - faces[None]).mean(axis=(2, 3, 4))
    assert apart[~np.eye(8, dtype=bool)].min() > 5


def test_identity_is_a_function_of_the_generator():
    assert person(5) == person(5)
    assert person(5) != person(6)


def test_a_look_can_be_sliced():
    look = Look.neutral(6)
    look.yaw = np.arange(6, dtype=np.float32)
    assert len(look[2:5]) == 3
    np.testing.assert_array_equal(look[look.yaw > 3].yaw, [4, 5])


@pytest.mark.parametrize("number", AU_NUMBERS)
@pytest.mark.parametrize("seed", [2, 9])
def test_each_au_shows_in_its_place(number, seed):
    look = still(4)
    look.au[1:, AU_NUMBERS.index(number)] = (0.3, 0.6, 1.0)
    faces = crops(person(seed, hair_style="short", beard=0.0, glasses="none"), look)
    energy = np.square(faces[1:] - faces[0]).sum(axis=-1)
    inside = energy[-1][AU_BOX[number]].sum() / energy[-1].sum()
    assert inside > 0.8
    # visible: somewhere a patch of skin changes by far more than the noise of a camera
    assert np.sqrt(energy[-1].max() / 3) > 25
    totals = energy.sum(axis=(1, 2))
    assert np.all(np.diff(totals) > 0), "a stronger action must change more"


def test_inner_and_outer_brow_are_told_apart():
    look = still(3)
    look.au[1, 0] = look.au[2, 1] = 1
    faces = crops(person(2, hair_style="short", glasses="none"), look)
    inner, outer = np.square(faces[1:] - faces[0]).sum(axis=-1)
    middle = (slice(None), slice(42, 70))
    assert inner[middle].sum() / inner.sum() > 0.5
    assert outer[middle].sum() / outer.sum() < 0.2


@pytest.mark.parametrize("seed", range(4))
def test_full_occlusion_hides_every_au_bit_for_bit(seed):
    rng = np.random.default_rng(seed)
    look = Look.neutral(6)
    look.yaw, look.pitch = rng.uniform(-30, 30, 6), rng.uniform(-15, 15, 6)
    look.occlusion = np.ones(6, np.float32)
    bare = render_crops(person(seed), look, np.random.default_rng(seed))
    frame_args = (np.full((6, 2), 100.0), np.full(6, 80.0))
    bare_frames = render_frames([(person(seed), look, *frame_args)], 200, 200, np.random.default_rng(seed))
    look.au = np.ones((6, 12), np.float32)
    np.testing.assert_array_equal(bare, render_crops(person(seed), look, np.random.default_rng(seed)))
    moved_frames = render_frames([(person(seed), look, *frame_args)], 200, 200, np.random.default_rng(seed))
    np.testing.assert_array_equal(bare_frames, moved_frames)


def test_partial_occlusion_covers_more_and_more():
    look = still(5)
    look.occlusion = np.array((0, 0.25, 0.5, 0.75, 1), np.float32)
    faces = crops(person(3), look)
    changed = (np.abs(faces - faces[0]).max(axis=-1) > 12).mean(axis=(1, 2))
    assert np.all(np.diff(changed) > 0)
    assert changed[-1] > 0.8


def test_intensities_outside_the_range_are_clipped():
    look = still(2)
    look.au[0], look.au[1] = 1.0, 1.4
    faces = crops(person(4), look)
    np.testing.assert_array_equal(faces[0], faces[1])


def varied(rng: np.random.Generator, n: int) -> Look:
    """Looks as a mild video has them, a third of the actions present."""
    look = Look.neutral(n)
    look.au = (rng.random((n, 12)) * (rng.random((n, 12)) < 0.4)).astype(np.float32)
    look.yaw, look.pitch = rng.uniform(-8, 8, n), rng.uniform(-5, 5, n)
    look.gaze = rng.uniform(-0.5, 0.5, (n, 2))
    look.light[:, :2] += rng.uniform(-0.3, 0.3, (n, 2))
    return look


def embed(images: np.ndarray) -> np.ndarray:
    """Grey values, each face on its own scale."""
    flat = images.astype(np.float64).mean(axis=-1).reshape(len(images), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / flat.std(axis=1, keepdims=True)


def ridge_r2(n_identities: int = 60, frames_each: int = 10, unseen: int = 16) -> np.ndarray:
    """Explained share of the variance of each AU on people the regression has not seen."""
    rng = np.random.default_rng(0)
    looks = [varied(rng, frames_each) for _ in range(n_identities)]
    images = [render_crops(sample_identity(rng), look, rng, size=56) for look in looks]
    features = np.concatenate([embed(some) for some in images])
    target = np.concatenate([look.au for look in looks]).astype(np.float64)
    split = len(target) - unseen * frames_each
    mean, centre = features[:split].mean(axis=0), target[:split].mean(axis=0)
    seen = features[:split] - mean
    gram = seen @ seen.T + 150.0 * np.eye(split)
    guess = (features[split:] - mean) @ seen.T @ np.linalg.solve(gram, target[:split] - centre) + centre
    error = np.square(guess - target[split:]).mean(axis=0)
    return 1 - error / target[split:].var(axis=0)


def test_aus_can_be_learnt_across_identities():
    r2 = ridge_r2()
    assert r2.mean() > 0.4, r2
    assert r2.min() > 0.1, r2


def face_pixels(frames: np.ndarray, empty: np.ndarray) -> np.ndarray:
    return np.abs(frames.astype(np.float32) - empty).max(axis=-1) > 20


@pytest.mark.parametrize("height_px", [60.0, 120.0])
def test_frames_hold_the_face_where_told(height_px):
    centres = np.array([(120.0, 100.0), (220.0, 130.0)])
    identity = person(2, hair_style="bald", glasses="none", beard=0.0)
    look = still(2)
    look.yaw = np.array((0.0, 25.0), np.float32)
    smile = dataclasses.replace(look, au=look.au.copy())
    smile.au[:, AU_NUMBERS.index(12)] = 1
    heights = np.full(2, height_px)
    rest, smiling = (
        render_frames([(identity, some, centres, heights)], 360, 240, np.random.default_rng(3))
        for some in (look, smile)
    )
    assert rest.shape == (2, 240, 360, 3)
    for centre, moved in zip(centres, face_pixels(smiling, rest.astype(np.float32)), strict=True):
        rows, columns = np.nonzero(moved)
        # a smile lies in the lower half of the face and within its width
        assert abs(columns.mean() - centre[0]) < 0.2 * height_px
        assert 0.05 * height_px < rows.mean() - centre[1] < 0.45 * height_px


def test_two_subjects_share_a_frame_and_move_independently():
    where = np.array([(90.0, 100.0)]), np.array([(260.0, 100.0)])
    height = np.full(1, 90.0)
    look, smile = still(1), still(1)
    smile.au[:, AU_NUMBERS.index(12)] = 1

    def draw(first: Look, second: Look) -> np.ndarray:
        subjects = [(person(0), first, where[0], height), (person(1), second, where[1], height)]
        return render_frames(subjects, 360, 200, np.random.default_rng(0)).astype(np.float32)[0]

    rest = draw(look, look)
    for columns, images in ((slice(0, 175), draw(smile, look)), (slice(175, 360), draw(look, smile))):
        energy = np.square(images - rest).sum(axis=(0, 2))
        assert energy[columns].sum() == energy.sum() > 0


def test_a_face_off_the_frame_is_no_error():
    far = np.array([(-900.0, 50.0)])
    frames = render_frames([(person(0), still(1), far, np.full(1, 80.0))], 160, 90, np.random.default_rng(0))
    assert frames.shape == (1, 90, 160, 3)
