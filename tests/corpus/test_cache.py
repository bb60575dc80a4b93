"""The index is kept, and never believed once something has changed."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from abaw_jax.corpus import cache
from abaw_jax.corpus.cache import open_corpus
from abaw_jax.corpus.tracks import Corpus


def opened(root: Path, cache_dir: Path) -> tuple[Corpus, bool]:
    """The corpus, and whether it was read anew."""
    stages = []
    corpus = open_corpus(root, cache_dir=cache_dir, on_progress=lambda stage, *_: stages.append(stage))
    return corpus, "folders" in stages


def assert_same(one: Corpus, other: Corpus) -> None:
    assert one.splits == other.splits
    assert one.samples == other.samples
    assert one.problems == other.problems
    assert list(one.tracks) == list(other.tracks)
    for a, b in zip(one.tracks.values(), other.tracks.values(), strict=True):
        assert (a.rows, a.video_path, a.sound_path, a.image_folders) == (
            b.rows,
            b.video_path,
            b.sound_path,
            b.image_folders,
        )
        assert list(a.labels) == list(b.labels)
        for key, labels in a.labels.items():
            for part, values in labels.items():
                np.testing.assert_array_equal(values, b.labels[key][part])
                assert values.dtype == b.labels[key][part].dtype
        for kind, mask in a.images.items():
            np.testing.assert_array_equal(mask, b.images[kind])
        assert a.fps == b.fps
        np.testing.assert_array_equal(a.times_s, b.times_s)


def test_the_cached_index_is_the_same_corpus(tiny: Corpus, tiny_root: Path, tmp_path: Path):
    first, was_read = opened(tiny_root, tmp_path)
    again, was_read_again = opened(tiny_root, tmp_path)
    assert (was_read, was_read_again) == (True, False)
    assert_same(first, again)
    assert_same(tiny, again)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: next(root.rglob("Train_Set/*.txt")).write_text("valence,arousal\n0.1,0.1\n"),
        lambda root: next(root.rglob("Train_Set/*.txt")).unlink(),
        lambda root: (root / "videos" / "new").mkdir(parents=True),
        lambda root: os.utime(next(root.rglob("Validation_Set/*.txt")), (1, 1)),
        lambda root: (root / "cropped_aligned" / "video1").mkdir(parents=True),
    ],
    ids=["label changed", "label gone", "folder new", "label touched", "images new"],
)
def test_the_index_is_stale_when_anything_has_changed(change, small_root: Path, tmp_path: Path):
    opened(small_root, tmp_path / "cache")
    assert not opened(small_root, tmp_path / "cache")[1]
    change(small_root)
    assert opened(small_root, tmp_path / "cache")[1]


def test_a_replaced_video_makes_the_index_stale(tiny_root: Path, tmp_path: Path):
    root = tmp_path / "copy"
    shutil.copytree(tiny_root / "videos", root / "videos")
    shutil.copytree(tiny_root / "ABAW Annotations", root / "ABAW Annotations")
    opened(root, tmp_path / "cache")
    video = root / "videos" / "batch1" / "video59.mp4"
    with video.open("ab") as file:
        file.write(b"\0" * 8)
    os.utime(video.parent)
    assert opened(root, tmp_path / "cache")[1]


@pytest.mark.parametrize(
    "harm",
    [
        lambda f: f.write_bytes(b""),
        lambda f: f.write_bytes(f.read_bytes()[:-200]),
        lambda f: f.write_bytes(b"PK" + b"x" * 500),
    ],
)
def test_a_damaged_index_is_built_anew(harm, small_root: Path, tmp_path: Path):
    good, _ = opened(small_root, tmp_path / "cache")
    (index,) = (tmp_path / "cache").glob("index-*.npz")
    harm(index)
    corpus, was_read = opened(small_root, tmp_path / "cache")
    assert was_read
    assert_same(good, corpus)
    assert not opened(small_root, tmp_path / "cache")[1]


def test_no_flipped_byte_of_an_index_stops_a_run(small_root: Path, tmp_path: Path):
    good, _ = opened(small_root, tmp_path / "cache")
    (index,) = (tmp_path / "cache").glob("index-*.npz")
    data, rng = index.read_bytes(), np.random.default_rng(0)
    for _ in range(150):
        harmed = bytearray(data)
        harmed[rng.integers(len(data))] ^= 1 << rng.integers(8)
        index.write_bytes(harmed)
        found = cache.load(index, small_root)
        assert found is None or list(found.tracks) == list(good.tracks)


def test_an_index_of_an_older_reader_is_not_used(small_root: Path, tmp_path: Path, monkeypatch):
    opened(small_root, tmp_path / "cache")
    monkeypatch.setattr(cache, "REVISION", cache.REVISION + 1)
    assert opened(small_root, tmp_path / "cache")[1]


def test_no_place_for_the_index_is_no_reason_to_stop(small_root: Path, tmp_path: Path):
    (tmp_path / "blocked").write_text("a file where the folder should be")
    corpus, _ = opened(small_root, tmp_path / "blocked")
    assert len(corpus.tracks) == 7


def test_a_missing_root_is_named(tmp_path: Path):
    with pytest.raises(
        FileNotFoundError, match="nowhere: no such folder; expected the root of an Aff-Wild2 download"
    ):
        open_corpus(tmp_path / "nowhere")


def test_problems_are_named_as_this_caller_spells_the_root(small_root: Path, tmp_path: Path, monkeypatch):
    next(small_root.rglob("Train_Set/*.txt")).write_text("valence,arousal\n9,9\n")
    first, _ = opened(small_root, tmp_path / "cache")
    monkeypatch.chdir(small_root.parent)
    again, was_read = opened(Path(small_root.name), tmp_path / "cache")
    assert not was_read
    assert first.problems[0].path.startswith(str(small_root))
    assert again.problems[0].path.startswith(f"{small_root.name}/")
