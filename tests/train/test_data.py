"""What a run knows of its training rows: mean and deviation of features, counts of labels."""

import numpy as np
import pytest

from abaw_jax.train import data as under_test
from abaw_jax.train.data import moments
from abaw_jax.train.run import Run


def rows(learnable, stream: str) -> np.ndarray:
    read = [learnable.features[stream].read(t.name) for t in learnable.corpus.split("va", "train")]
    return np.concatenate([np.asarray(feature.values)[feature.present] for feature in read]).astype(
        np.float64
    )


@pytest.mark.parametrize("stream", ["video", "audio"])
def test_mean_and_deviation_are_those_of_the_rows_that_are_there(stream: str, config, learnable):
    config.streams = ("video", "audio")
    mean, deviation = moments(Run.of(config, learnable).training, stream)
    wanted = rows(learnable, stream)
    np.testing.assert_allclose(mean, wanted.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(deviation, wanted.std(axis=0), rtol=1e-5)


def test_few_of_many_are_near(config, learnable, monkeypatch):
    monkeypatch.setattr(under_test, "MOMENTS_FROM", 100)
    mean, deviation = moments(Run.of(config, learnable).training, "video")
    wanted = rows(learnable, "video")
    np.testing.assert_allclose(mean, wanted.mean(axis=0), atol=0.5 * deviation.max())
    np.testing.assert_allclose(deviation, wanted.std(axis=0), rtol=0.4)


def test_what_never_varies_is_only_moved(config, learnable, monkeypatch):
    run = Run.of(config, learnable)
    source = type(run.training[0].source)
    monkeypatch.setattr(source, "vectors", lambda self, name, track, index: np.full((len(index), 6), 3.0))
    mean, deviation = moments(run.training, "video")
    assert mean.tolist() == [3.0] * 6
    assert deviation.tolist() == [1.0] * 6


@pytest.mark.parametrize("is_standard", [True, False])
def test_the_model_sees_standard_features_where_asked(is_standard: bool, config, learnable):
    config.train.standardize = is_standard
    task = Run.of(config, learnable).task
    wanted = rows(learnable, "video")[None]
    found = np.asarray(task._standard({"video": wanted.astype(np.float16)})["video"], np.float64)
    if is_standard:
        wanted = (wanted - wanted.mean(axis=1, keepdims=True)) / wanted.std(axis=1, keepdims=True)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("fold", range(1, 4))
def test_a_fold_is_scored_on_videos_that_it_has_not_seen(fold: int, config, learnable):
    config.fold, config.folds = fold, 4
    run, corpus = Run.of(config, learnable), learnable.corpus
    learnt, held = ({t.video for t in part.tracks} for part in (run.training[0], run.validation))
    assert held and not learnt & held
    official = {t.video for split in ("train", "validation") for t in corpus.split("va", split)}
    assert learnt | held == official
    assert held <= {t.video for t in corpus.split("va", "train")}


def test_every_training_video_is_held_back_once_whatever_the_seed(config, learnable):
    held = []
    for fold in range(1, 4):
        config.fold, config.folds, config.seed = fold, 4, fold
        held += [t.name for t in Run.of(config, learnable).validation.tracks]
    assert sorted(held) == sorted(t.name for t in learnable.corpus.split("va", "train"))


def test_a_fold_that_there_is_not_is_refused(config, learnable):
    config.fold = 6
    with pytest.raises(ValueError, match=r"fold: found 6, expected 0 to 5"):
        Run.of(config, learnable).part("validation")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"augment.warp": 1.5}, "augment.warp: found 1.5, expected 0 to 1"),
        ({"augment.mixup": -1.0}, "augment.mixup: found -1, expected 0 or more"),
        ({"augment.warp": 0.5, "window.targets": "middle"}, "augment.warp: moves the middle of a window"),
        (
            {"text.prompts": "moods"},
            "text.prompts: found 'moods', expected one of: none, expressions, states",
        ),
        (
            {"text.prompts": "states", "text.encoder": "another"},
            "text.encoder: found another, expected tiny-clip",
        ),
    ],
)
def test_what_cannot_be_done_while_learning_is_told(change: dict, message: str, config, learnable):
    config.update_from_flattened_dict(change)
    with pytest.raises(ValueError, match=message):
        Run.of(config, learnable).fresh()


def test_words_are_read_only_where_they_are_used(config, learnable):
    config.text.prompts = "states"
    with pytest.raises(ValueError, match="nothing here reads prompts"):
        Run.of(config, learnable).fresh()
    config.text.share = 0.0
    assert Run.of(config, learnable).task.words is None
