"""Lessons as the encoder that learns from them takes them, made once, by one process."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import pytest

from abaw_jax.corpus.synthetic import lessons as synthetic
from abaw_jax.corpus.synthetic.captions import all_sentences
from abaw_jax.defaults import get_config
from abaw_jax.encoders.clip import token_ids
from abaw_jax.encoders.load import open_named
from abaw_jax.encoders.whisper import log_mel
from abaw_jax.extract import lessons
from abaw_jax.extract.lessons import open_lessons
from abaw_jax.inputs.lessons import LEARNS
from abaw_jax.nn.backbones.clip import Config
from tests.encoders.tiny_shapes import write_clip_shape, write_whisper_shape


@pytest.fixture(scope="module")
def shapes(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("shapes")
    return {
        "contrast": write_clip_shape(root / "clip", all_sentences(), image=112, patch=56, length=64),
        "prosody": write_whisper_shape(root / "whisper"),
    }


@pytest.fixture(autouse=True)
def at_once(monkeypatch) -> None:
    """In threads, where the workers that are started are not what is looked at."""
    monkeypatch.setattr(synthetic, "ProcessPoolExecutor", lambda workers, mp_context: ThreadPoolExecutor(1))


def config_of(task: str, shapes: dict[str, Path], root: Path):
    config = get_config()
    config.task, config.model.name, config.store.root = task, str(shapes[task]), str(root)
    config.lessons.people, config.lessons.held_back = 2, 1
    config.lessons.looks, config.lessons.seconds = 2, 1.0
    return config


def made(config, split: str) -> dict[str, np.ndarray]:
    people = {"train": 2, "validation": 1}[split]
    plan = synthetic.Lessons(lessons.KINDS[config.task], people, 2, 1.0, config.lessons.seed)
    return synthetic.make_lessons(plan, split, Path(config.store.root) / "lessons")


def test_what_is_said_of_faces_comes_as_tokens(shapes, tmp_path: Path):
    config = config_of("contrast", shapes, tmp_path)
    training, validation = open_lessons(config)
    assert (len(training), len(validation)) == (4, 2)
    drawn, checkpoint = made(config, "train"), open_named(shapes["contrast"])
    tower = Config.from_json(checkpoint.config).text
    ids = training.arrays["text"]
    assert ids.shape == (4, 3, 64) and ids.dtype == np.int32
    for found, said in zip(ids.reshape(12, 64), drawn["text"].ravel(), strict=True):
        np.testing.assert_array_equal(found, token_ids(checkpoint, tower, [said.decode()])[0])
    for name in ("image", "au", "au_mask"):
        np.testing.assert_array_equal(training.arrays[name], drawn[name])


def test_what_is_heard_comes_as_mel(shapes, tmp_path: Path):
    config = config_of("prosody", shapes, tmp_path)
    training, validation = open_lessons(config)
    assert (len(training), len(validation)) == (2, 1)
    drawn = made(config, "validation")
    mel = log_mel(drawn["sound"][0].astype(np.float32) / 32767, 80)
    assert validation.arrays["mel"].dtype == np.float16
    np.testing.assert_array_equal(validation.arrays["mel"], mel[None].astype(np.float16))
    np.testing.assert_array_equal(validation.arrays["prosody"], drawn["prosody"])


@pytest.mark.parametrize("task", LEARNS)
def test_they_are_made_once(task: str, shapes, monkeypatch, tmp_path: Path):
    config = config_of(task, shapes, tmp_path)
    first = open_lessons(config)
    monkeypatch.setattr(synthetic, "_write", None)
    for ours, theirs in zip(open_lessons(config), first, strict=True):
        jax.tree.map(np.testing.assert_array_equal, ours.arrays, theirs.arrays)


@pytest.mark.parametrize("process", [0, 1])
def test_one_process_makes_them_while_the_others_wait(process: int, shapes, monkeypatch, tmp_path: Path):
    config = config_of("prosody", shapes, tmp_path)
    events, write = [], synthetic._write

    def written(*args):
        events.append("made")
        write(*args)

    def wait(name):
        events.append("waited")
        if process:  # what the first has done meanwhile
            made(config, "train"), made(config, "validation")

    monkeypatch.setattr(synthetic, "_write", written)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "process_index", lambda: process)
    monkeypatch.setattr(lessons.multihost_utils, "sync_global_devices", wait)
    open_lessons(config)
    assert events == (["waited", "made", "made"] if process else ["made", "made", "waited"])


@pytest.mark.parametrize(
    ("task", "key", "value", "message"),
    [
        ("prosody", "seconds", 2.0, "lessons.seconds: found 2, expected 1, which whisper hears at once"),
        ("prosody", "people", 0, "found 0 people"),
        ("contrast", "held_back", 0, "found 0 people"),
    ],
)
def test_what_the_encoder_cannot_take_is_refused_before_anything_is_drawn(
    task: str, key: str, value, message: str, shapes, monkeypatch, tmp_path: Path
):
    monkeypatch.setattr(synthetic, "_write", None)
    config = config_of(task, shapes, tmp_path)
    config.lessons[key] = value
    with pytest.raises(ValueError, match=message):
        open_lessons(config)


def test_an_encoder_of_another_kind_or_size_is_refused_before_anything_is_drawn(
    shapes, monkeypatch, tmp_path: Path
):
    monkeypatch.setattr(synthetic, "_write", None)
    config = config_of("contrast", shapes, tmp_path)
    config.model.name = str(shapes["prosody"])
    with pytest.raises(ValueError, match="found a whisper, expected a clip for task contrast"):
        open_lessons(config)
    config.model.name = str(write_clip_shape(tmp_path / "small", ["a face"]))
    with pytest.raises(ValueError, match=r"model\.name: found small for images of 16, expected 112"):
        open_lessons(config)
    config.task, config.model.name = "prosody", str(shapes["contrast"])
    with pytest.raises(ValueError, match="found a clip, expected a whisper for task prosody"):
        open_lessons(config)
