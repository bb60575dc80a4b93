"""An edition that is asked for is chosen among those there, never put over another's files."""

from pathlib import Path

import pytest

from abaw_jax.defaults import get_config
from abaw_jax.extract.command import open_job

LABELS = {"5th": 0.5, "6th": 0.6}
SPLITS = {"5th": {"Train_Set": "x", "Validation_Set": "y"}, "6th": {"Train_Set": "y", "Validation_Set": "x"}}


@pytest.fixture
def root(tmp_path: Path, monkeypatch) -> Path:
    """The tracks of one edition's training split are validated on in the other."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for edition, splits in SPLITS.items():
        for split, track in splits.items():
            folder = tmp_path / f"{edition}_ABAW_Annotations" / "VA_Estimation_Challenge" / split
            folder.mkdir(parents=True)
            value = LABELS[edition]
            (folder / f"{track}.txt").write_text("valence,arousal\n" + f"{value},{value}\n" * 5)
    return tmp_path


@pytest.mark.parametrize(("edition", "trained", "value"), [(None, "y", 0.6), (5, "x", 0.5), (6, "y", 0.6)])
def test_labels_and_splits_are_those_of_the_edition(
    edition, trained: str, value: float, root: Path, tmp_path
):
    config = get_config()
    config.streams, config.video.encoder = ("video",), "colours"
    config.corpus.root, config.corpus.edition = str(root), edition
    config.store.root = str(tmp_path / "features")
    corpus, _ = open_job(config)
    (track,) = corpus.split("va", "train", config.corpus.edition)
    assert track.name == trained
    assert track.labels_for("va", config.corpus.edition)["va"][0, 0] == value
