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
