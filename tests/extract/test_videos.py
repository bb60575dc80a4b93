"""Raw videos as the source: faces found in the frames, a subject by where it stands, rows in are rows out."""

import shutil

import jax
import numpy as np
import pytest

from abaw_jax.corpus.cache import open_corpus
from abaw_jax.encoders.load import load
from abaw_jax.extract.job import make_job
from abaw_jax.faces.align import align
from abaw_jax.media.video import frames
from abaw_jax.store.features import Store
from tests.extract.two_people import TwoPeople

PAIR = ("video10_1_left", "video10_1_right")
ALONE = "7-60-640x360"


@pytest.fixture
def config(config):
    config.streams = ("video",)
    config.extract.source = "videos"
    config.extract.detector = "tests.extract.two_people:TwoPeople"
    return config


def run(corpus, config, *names: str):
    config.extract.tracks = names
    job = make_job(corpus, config)
    return job.streams[0].features, job.run()


def expected(corpus, config, name: str, person: int) -> np.ndarray:
    """Every frame's face, aligned and encoded on its own."""
    encoder, track = load(config.video.encoder), corpus.tracks[name]
    images = [frame.image for frame in frames(corpus.root / track.video_path, print)][: track.rows]
    landmarks = TwoPeople().faces(images[0].shape[1]).landmarks[person]
    inputs = np.stack([encoder.preprocess(align(image, landmarks)) for image in images])
    return np.asarray(jax.jit(encoder.apply)(encoder.variables, inputs))


def test_the_left_one_is_the_left_one_and_the_right_one_the_right_one(tiny, config):
    found, summary = run(tiny, config, *PAIR)
    assert summary.problems == []
    for person, name in enumerate(PAIR):
        feature = found.read(name)
        assert len(feature) == tiny.tracks[name].rows
        assert feature.present.all()
        np.testing.assert_allclose(feature.values, expected(tiny, config, name, person), rtol=2e-3, atol=2e-3)


def test_one_of_a_pair_is_the_same_whether_the_other_is_wanted_or_not(tiny, config):
    both, _ = run(tiny, config, *PAIR)
    values = np.array(both.read(PAIR[1]).values)
    shutil.rmtree(both.path)
    alone, _ = run(tiny, config, PAIR[1])
    np.testing.assert_array_equal(alone.read(PAIR[1]).values, values)
    assert alone.tracks() == (PAIR[1],)


def test_a_lone_subject_is_who_fills_most_of_the_video_and_rows_past_the_last_frame_are_masked(tiny, config):
    found, _ = run(tiny, config, ALONE)
    feature, wanted = found.read(ALONE), expected(tiny, config, ALONE, 1)
    count = min(len(wanted), len(feature))
    np.testing.assert_allclose(feature.values[:count], wanted[:count], rtol=2e-3, atol=2e-3)
    assert feature.present[:count].all()
    assert not feature.present[count:].any()


def test_another_detector_is_other_features(tiny, config):
    found, _ = run(tiny, config, ALONE)
    for key, value in (("detect_every", 3), ("source", "crops")):
        other = config.copy_and_resolve_references()
        other.extract[key] = value
        features = make_job(tiny, other).streams[0].features
        assert features.path != found.path


def test_a_video_that_is_no_video_is_told_and_masked(tiny_root, config, tmp_path):
    root = tmp_path / "corpus"
    shutil.copytree(tiny_root, root)
    corpus = open_corpus(root, cache_dir=tmp_path)
    (root / corpus.tracks[ALONE].video_path).write_bytes(b"not a video")
    found, summary = run(open_corpus(root, cache_dir=tmp_path), config, ALONE, *PAIR)
    assert [problem.path.endswith(f"{ALONE}.mp4") for problem in summary.problems] == [True]
    assert len(found.read(ALONE)) == corpus.tracks[ALONE].rows
    assert not found.read(ALONE).present.any()
    assert found.read(PAIR[0]).present.all()


def test_the_built_in_detector_serves_as_well(tiny, config):
    config.extract.detector, config.extract.detect_every = "mtcnn", 4
    found, _ = run(tiny, config, ALONE)
    features = Store(config.store.root).open(found.spec).read(ALONE)
    assert len(features) == tiny.tracks[ALONE].rows
    assert np.isfinite(features.values).all()
