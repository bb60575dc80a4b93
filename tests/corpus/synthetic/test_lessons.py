"""Lessons are the same whoever draws them, whole or not there, and of nobody that a corpus shows."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from abaw_jax import prompts
from abaw_jax.corpus.synthetic import captions, lessons
from abaw_jax.corpus.synthetic.cast import SIZES, cast, cast_tiny
from abaw_jax.corpus.synthetic.face import sample_identity
from abaw_jax.corpus.synthetic.lessons import Lessons, faces_of, make_lessons, voices_of
from abaw_jax.corpus.synthetic.media import JPEG_QUALITY
from abaw_jax.corpus.synthetic.render import render_crops

FACES = Lessons("faces", people=3, looks=2)
VOICES = Lessons("voices", people=3, seconds=1.0)
PURPOSES = ("affect", "look", "identity", "crops", "timbre", "voice")
"""What a corpus draws of a track."""


def assert_same(found, wanted) -> None:
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert found[name].dtype == wanted[name].dtype
        np.testing.assert_array_equal(found[name], wanted[name])


def of_people(plan: Lessons, split: str) -> dict[str, np.ndarray]:
    """One person behind the other."""
    maker = {"faces": faces_of, "voices": voices_of}[plan.kind]
    each = [maker(plan, plan.rng(split, person)) for person in range(plan.people)]
    return {name: np.concatenate([one[name] for one in each]) for name in each[0]}


@pytest.fixture
def at_once(monkeypatch) -> None:
    """In threads: what processes are started with is not what is looked at."""
    monkeypatch.setattr(lessons, "ProcessPoolExecutor", lambda workers, mp_context: ThreadPoolExecutor(1))


@pytest.fixture(scope="module")
def faces() -> dict[str, np.ndarray]:
    """Enough for covered ones to be among them."""
    plan = Lessons("faces", people=1, looks=120)
    return faces_of(plan, plan.rng("train", 0))


@pytest.mark.parametrize("group", [1, 2])
def test_a_plan_gives_the_same_lessons_on_any_number_of_processes(group: int, monkeypatch, tmp_path: Path):
    monkeypatch.setattr(lessons, "GROUP", group)
    assert_same(make_lessons(FACES, "train", tmp_path, workers=2), of_people(FACES, "train"))


def test_voices_are_kept_as_they_were_made(at_once, monkeypatch, tmp_path: Path):
    monkeypatch.setattr(lessons, "GROUP", 2)
    assert_same(make_lessons(VOICES, "train", tmp_path), of_people(VOICES, "train"))


def test_finished_lessons_are_read_and_not_made_again(at_once, monkeypatch, tmp_path: Path):
    first = make_lessons(VOICES, "train", tmp_path)
    monkeypatch.setattr(lessons, "_write", None)
    again = make_lessons(VOICES, "train", tmp_path)
    assert_same(again, first)
    assert all(isinstance(values, np.memmap) for values in again.values())


@pytest.mark.parametrize("change", [{"people": 2}, {"seconds": 2.0}, {"seed": 1}])
def test_another_plan_or_split_has_a_folder_of_its_own(change: dict, at_once, tmp_path: Path):
    make_lessons(VOICES, "train", tmp_path)
    make_lessons(VOICES, "validation", tmp_path)
    make_lessons(Lessons(**{"kind": "voices", "people": 3, "seconds": 1.0} | change), "train", tmp_path)
    homes = sorted(tmp_path.iterdir())
    assert len(homes) == 3
    noted = [json.loads((home / "lessons.json").read_text()) for home in homes]
    assert len({json.dumps(note) for note in noted}) == 3


def test_a_maker_that_fails_half_way_leaves_nothing(at_once, monkeypatch, tmp_path: Path):
    real, made = lessons._group, []

    def fails_at_the_second(job):
        if made:
            raise KeyboardInterrupt
        made.append(job)
        return real(job)

    with monkeypatch.context() as patch:
        patch.setattr(lessons, "GROUP", 1)
        patch.setattr(lessons, "_group", fails_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            make_lessons(VOICES, "train", tmp_path)
    assert made and list(tmp_path.iterdir()) == []
    assert_same(make_lessons(VOICES, "train", tmp_path), of_people(VOICES, "train"))


def test_of_two_that_make_the_same_the_first_to_end_counts(at_once, monkeypatch, tmp_path: Path):
    write = lessons._write

    def while_another_ends_before(*args):
        monkeypatch.setattr(lessons, "_write", write)
        make_lessons(VOICES, "train", tmp_path)
        write(*args)

    monkeypatch.setattr(lessons, "_write", while_another_ends_before)
    assert_same(make_lessons(VOICES, "train", tmp_path), of_people(VOICES, "train"))
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.full
def test_a_killed_maker_leaves_nothing_that_is_taken_for_whole(tmp_path: Path):
    plan = Lessons("faces", people=400, looks=6)
    code = (
        "from pathlib import Path\n"
        "from abaw_jax.corpus.synthetic.lessons import Lessons, make_lessons\n"
        f"make_lessons({plan!r}, 'train', Path({str(tmp_path)!r}), workers=1)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", f"if __name__ == '__main__':\n    {code.strip().replace(chr(10), '; ')}"],
        start_new_session=True,
    )
    while not list(tmp_path.glob("*/image.npy")) and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    (unfinished,) = tmp_path.iterdir()
    assert unfinished.suffix and not (unfinished / "lessons.json").exists()
    found = make_lessons(plan, "train", tmp_path, workers=1)
    np.testing.assert_array_equal(found["au"][-6:], faces_of(plan, plan.rng("train", 399))["au"])


def test_no_two_draw_the_same_numbers_be_they_in_lessons_or_in_a_corpus():
    ours = [
        str(Lessons(kind, people=2, seed=seed).rng(split, person).bit_generator.state)
        for kind in ("faces", "voices")
        for split in ("train", "validation")
        for seed in (0, 1)
        for person in (0, 1)
    ]
    parts = [part for seed in (0, 1) for part in [*cast(SIZES["demo"], seed), *cast_tiny(seed)]]
    theirs = {str(part.rng(purpose).bit_generator.state) for part in parts for purpose in PURPOSES}
    assert len(set(ours)) == len(ours) == 16
    assert not theirs & set(ours)


def test_train_and_validation_share_no_face():
    seeds = {
        (split, person): sample_identity(FACES.rng(split, person)).seed
        for split in ("train", "validation")
        for person in range(20)
    }
    assert len(set(seeds.values())) == 40


def test_a_covered_face_says_so_and_is_no_lesson_on_muscles(faces):
    is_covered = ~faces["au_mask"]
    assert 0 < is_covered.sum() < 20
    assert (faces["text"][is_covered] == captions.COVERED.encode()).all()
    assert not (faces["text"][~is_covered] == captions.COVERED.encode()).any()


def test_what_is_said_of_muscles_is_what_they_do(faces):
    for au, text in zip(faces["au"][faces["au_mask"]], faces["text"][faces["au_mask"]], strict=True):
        assert text[0].decode() == captions.muscles_text(au)


def test_of_a_felt_face_its_expression_and_state_are_said_of_another_its_muscles_thrice(faces):
    kinds = {"felt": 0, "free": 0}
    for text in faces["text"][faces["au_mask"]]:
        muscles, expression, state = (part.decode() for part in text)
        if expression in prompts.EXPRESSION_PROMPTS:
            kinds["felt"] += 1
            assert state in prompts.STATE_PROMPTS
        else:
            kinds["free"] += 1
            assert muscles == expression == state
    assert min(kinds.values()) > 30


@pytest.mark.parametrize("share", [0, 1])
def test_a_face_is_said_to_feel_something_only_where_it_was_drawn_so(share: float, monkeypatch):
    monkeypatch.setattr(lessons, "LIVELY", share)
    monkeypatch.setattr(lessons, "COVERED", 0)
    text = faces_of(FACES, FACES.rng("train", 0))["text"]
    assert (text[:, 0] != text[:, 1]).all() == (share == 1)


def test_what_is_felt_is_what_shows(monkeypatch):
    """Happy faces pull up the corners of their lips and are pleasant; sad ones do neither."""
    monkeypatch.setattr(lessons, "LIVELY", 1)
    monkeypatch.setattr(
        lessons, "render_crops", lambda who, look, rng, size: np.zeros((300, 8, 8, 3), np.uint8)
    )
    plan = Lessons("faces", people=1, looks=300)
    faces = faces_of(plan, plan.rng("train", 0))
    smile, valence = {}, {}
    for name in ("Happiness", "Sadness"):
        said = faces["text"][:, 1] == f"A face expressing {name}".encode()
        smile[name] = faces["au"][said][:, 6].mean()
        states = [prompts.STATE_PROMPTS.index(text.decode()) // 3 for text in faces["text"][said][:, 2]]
        valence[name] = np.mean([state // 3 for state in states])
    assert smile["Happiness"] > 0.5 > 0.3 > smile["Sadness"]
    assert valence["Happiness"] > 1.5 > 0.5 > valence["Sadness"]


def test_muscles_are_between_rest_and_as_strong_as_can_be(faces):
    assert faces["au"].min() == 0 and 0.9 < faces["au"].max() <= 1
    assert faces["image"].shape == (120, 112, 112, 3) and faces["image"].dtype == np.uint8


def test_a_face_has_been_through_a_jpeg_file(monkeypatch):
    drawn = []

    def draw(*args):
        drawn.append(render_crops(*args))
        return drawn[0]

    monkeypatch.setattr(lessons, "render_crops", draw)
    images = faces_of(FACES, FACES.rng("train", 0))["image"]
    for image, crop in zip(images, drawn[0], strict=True):
        file = io.BytesIO()
        Image.fromarray(crop).save(file, "jpeg", quality=JPEG_QUALITY)
        np.testing.assert_array_equal(image, np.asarray(Image.open(file)))
        assert 0 < np.abs(image.astype(int) - crop).mean() < 12


def test_what_is_told_of_a_voice_is_what_it_was_made_of():
    plan = Lessons("voices", people=1, seconds=10.0)
    for person in range(6):
        voice = voices_of(plan, plan.rng("train", person))
        (sound,), (prosody,), (is_heard,) = voice["sound"], voice["prosody"], voice["is_heard"]
        assert sound.shape == (160_000,) and prosody.shape == (250, 6) and is_heard.shape == (250,)
        assert np.abs(prosody[:, :3]).max() <= 3
        assert prosody[:, 3:].min() >= 0 and prosody[:, 3:].max() <= 1
        level = np.sqrt((sound.reshape(250, 640).astype(float) ** 2).mean(axis=1))
        assert 0.5 < is_heard.mean() < 1
        assert np.median(level[is_heard]) > 3 * np.median(level[~is_heard])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "hands"}, "found 'hands', expected one of: faces, voices"),
        ({"people": 0}, "found 0 people in 2 looks, 1 s, expected at least one of each"),
        ({"looks": 0}, "found 1 people in 0 looks"),
        ({"seconds": 0.0}, "1 people in 2 looks, 0 s"),
    ],
)
def test_a_plan_that_makes_no_lesson_is_refused(change: dict, message: str):
    with pytest.raises(ValueError, match=message):
        Lessons(**{"kind": "faces", "people": 1, "looks": 2, "seconds": 1.0} | change)
