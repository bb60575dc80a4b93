"""A small corpus whose features are its labels in noise, and runs over it in a folder of the test's own."""

from pathlib import Path

import numpy as np
import pytest

from abaw_jax.corpus.cache import open_corpus
from abaw_jax.corpus.synthetic.cast import Size
from abaw_jax.corpus.synthetic.make import Plan, make
from abaw_jax.defaults import get_config
from abaw_jax.store.features import Features, Store
from abaw_jax.store.spec import FeatureSpec, Grid
from abaw_jax.train.data import Stored
from abaw_jax.train.loop import train
from abaw_jax.train.run import Run

SIZE = Size(train=6, validation=3, test=0, seconds=4.0, fps=12.0)
WIDTHS = {"video": 6, "audio": 4}


def write_features(corpus, root: Path) -> dict[str, Features]:
    """Valence and arousal mixed into a few numbers, with gaps."""
    features = {}
    for number, (stream, width) in enumerate(WIDTHS.items()):
        rng = np.random.default_rng(number)
        mix = rng.standard_normal((2, width))
        folder = Store(root).create(FeatureSpec(stream, (width,), Grid(), {"kind": "test"}))
        for track in corpus.tracks.values():
            va = np.nan_to_num(track.labels_for("va")["va"], nan=0.0).clip(-1, 1)
            values = va @ mix + 0.3 * rng.standard_normal((track.rows, width))
            writer = folder.writer(track.name, track.rows)
            for row, value in enumerate(values):
                writer.skip(1) if (row + number) % 11 == 0 else writer.append(value[None])
            writer.commit({})
        features[stream] = folder
    return features


def small_config(task: str = "va", streams: tuple[str, ...] = ("video",)):
    """Everything that can go wrong on resuming is on; one stream compiles in half the time of two."""
    config = get_config()
    config.task, config.streams = task, streams
    config.window.rows, config.window.stride, config.window.eval_stride = 16, 8, 8
    config.model.width, config.model.layers, config.model.heads, config.model.max_distance = 16, 1, 2, 8
    config.optimizer.warmup_steps, config.optimizer.accumulate = 4, 2
    config.optimizer.ema_decay, config.optimizer.plateau_patience = 0.9, 1
    config.train.batch_size, config.train.steps = 8, 24
    config.train.eval_every, config.train.log_every, config.train.threads = 6, 2, 2
    return config


@pytest.fixture(scope="session", autouse=True)
def compiled(compile_once):
    """Kept, however many runs of one config are made."""


@pytest.fixture(scope="session")
def learnable(tmp_path_factory):
    """A corpus and its features."""
    root = tmp_path_factory.mktemp("learnable")
    make(Plan(root / "corpus", SIZE, with_crops=False, with_sounds=False), workers=1)
    corpus = open_corpus(root / "corpus", cache_dir=root)
    return Stored(corpus, write_features(corpus, root / "features"))


@pytest.fixture(scope="session")
def undisturbed(learnable, tmp_path_factory):
    """(run, workdir) of a whole run."""
    run, workdir = Run.of(small_config(), learnable), tmp_path_factory.mktemp("undisturbed")
    train(run, workdir)
    return run, workdir


@pytest.fixture
def config():
    return small_config()


@pytest.fixture
def make_run(learnable):
    """`make_run(config)`"""
    return lambda config: Run.of(config, learnable)
