"""What is written comes back, what is not whole does not count, and what is stale is refused by name."""

import dataclasses
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from abaw_jax.store import features as store_features
from abaw_jax.store.features import SPEC_FILE, Features, StaleFeatures, Store
from abaw_jax.store.spec import FeatureSpec, Grid

SPEC = FeatureSpec("clip", (2, 3), Grid(), {"weights": "abc", "view": "image"})


@pytest.fixture
def features(tmp_path: Path) -> Features:
    return Store(tmp_path).create(SPEC)


def write(features: Features, track: str = "video1", made_from: dict | None = None) -> np.ndarray:
    values = np.random.default_rng(0).standard_normal((6, *features.spec.shape)).astype(np.float32)
    with features.writer(track, 9) as writer:
        writer.append(values[:2])
        writer.skip(1)
        writer.append(values[2:5])
        writer.skip(2)
        writer.append(values[5:])
        writer.commit(made_from or {"kind": "crops", "content": "c0", "stamp": "s0"})
    return values


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_what_is_written_comes_back_in_its_dtype_under_its_mask(dtype: str, tmp_path: Path):
    features = Store(tmp_path).create(dataclasses.replace(SPEC, dtype=dtype))
    values = write(features)
    found = features.read("video1")
    exact = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32}[dtype]
    assert found.values.dtype == exact and isinstance(found.values, np.memmap)
    assert found.present.tolist() == [True, True, False, True, True, True, False, False, True]
    np.testing.assert_array_equal(found.values[found.present], values.astype(exact))
    assert not found.values[~found.present].astype(np.float32).any()
    features.verify("video1")


def test_a_track_of_no_rows_is_a_track(features: Features):
    features.writer("empty", 0).commit({"kind": "nothing"})
    found = features.read("empty")
    assert len(found) == 0 and found.values.shape == (0, 2, 3)


def test_a_track_counts_only_once_it_is_whole(features: Features):
    writer = features.writer("video1", 2)
    writer.append(np.zeros((1, 2, 3), np.float32))
    assert features.tracks() == ()
    with pytest.raises(KeyError, match="no features of 'video1'"):
        features.read("video1")
    with pytest.raises(ValueError, match="video1: found 1 vectors, expected 2"):
        writer.commit({})
    assert [path.name for path in features.path.iterdir()] == [SPEC_FILE]


def test_what_a_killed_writer_left_is_cleared_by_the_next(features: Features):
    features.writer("video1", 2)._file.close()
    (features.path / ".video1.99999.tmp").write_bytes(b"half")
    (features.path / "video1.npy").write_bytes(b"no manifest yet")
    assert features.tracks() == ()
    write(features)
    assert sorted(path.name for path in features.path.iterdir()) == [SPEC_FILE, "video1.json", "video1.npy"]


def test_what_a_killed_maker_left_is_cleared_by_the_next(features: Features):
    (features.path / f".{SPEC_FILE}.99999.tmp").write_bytes(b"half")
    again = Store(features.path.parent).create(features.spec)
    assert [path.name for path in again.path.iterdir()] == [SPEC_FILE]


def test_a_folder_that_another_process_makes_at_the_same_time_is_theirs_too(tmp_path: Path, monkeypatch):
    spec, write = FeatureSpec("clip", (2,), Grid(), {}), store_features.write_json

    def beaten(path: Path, entries: dict) -> None:
        write(path, entries)
        raise FileNotFoundError(path)

    monkeypatch.setattr(store_features, "write_json", beaten)
    assert Store(tmp_path).create(spec).spec == spec


def test_an_error_while_writing_leaves_nothing_behind(features: Features):
    with pytest.raises(RuntimeError, match="stop"), features.writer("video1", 2) as writer:
        writer.append(np.zeros((1, 2, 3), np.float32))
        raise RuntimeError("stop")
    assert [path.name for path in features.path.iterdir()] == [SPEC_FILE]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((1, 3, 2), np.float32), r"video1: found vectors \(3, 2\), expected \(2, 3\)"),
        (np.full((1, 2, 3), np.nan, np.float32), "video1: vector 1 on: .*expected finite float16"),
        (np.full((1, 2, 3), 7e4, np.float32), "up to 70000, expected finite float16; store them as bfloat16"),
        (np.zeros((3, 2, 3), np.float32), "video1: found vector 3, expected 2"),
    ],
)
def test_vectors_that_cannot_be_kept_are_refused(values: np.ndarray, message: str, features: Features):
    with features.writer("video1", 2) as writer, pytest.raises(ValueError, match=message):
        writer.append(values)


def test_features_of_something_else_are_refused_with_what_differs(features: Features):
    write(features)
    made_from = {"kind": "crops", "content": "c1", "stamp": "s0"}
    with pytest.raises(StaleFeatures, match="made from something else: content: found c0, expected c1"):
        features.read("video1", made_from)


def test_another_time_of_the_same_bytes_is_no_difference(features: Features):
    write(features)
    assert len(features.read("video1", {"kind": "crops", "content": "c0", "stamp": "s1"})) == 9


def test_a_store_of_other_weights_is_refused_with_what_differs(features: Features):
    write(features)
    store = Store(features.path.parent)
    other = dataclasses.replace(SPEC, identity={"weights": "abd", "view": "image"}, dtype="float32")
    with pytest.raises(StaleFeatures) as caught:
        store.open(other)
    message = str(caught.value)
    assert "identity.weights: found abc, expected abd" in message
    assert "dtype: found float16, expected float32" in message
    assert "view" not in message
    assert store.open(SPEC) == features
    with pytest.raises(FileNotFoundError, match="no features of vit"):
        store.open(dataclasses.replace(SPEC, name="vit"))


def test_a_damaged_file_is_told_from_a_whole_one(features: Features):
    write(features)
    path = features.path / "video1.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(StaleFeatures, match=r"video1.npy: unreadable"):
        features.read("video1")
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    features.read("video1")
    with pytest.raises(StaleFeatures, match="bytes changed"):
        features.verify("video1")
    np.save(path, np.zeros((8, 2, 3), np.float16))
    with pytest.raises(StaleFeatures, match=r"found float16 \(8, 2, 3\), expected float16 \(9, 2, 3\)"):
        features.read("video1")
    (features.path / "video1.json").write_text("{")
    with pytest.raises(StaleFeatures, match=r"video1.json: not JSON"):
        features.read("video1")


def test_pickles_are_not_read(features: Features):
    write(features)
    np.save(features.path / "video1.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(StaleFeatures, match="unreadable"):
        features.read("video1")


def test_folders_of_other_things_are_passed_over(features: Features):
    root = features.path.parent
    (root / "junk").mkdir()
    (root / "junk" / SPEC_FILE).write_text("[]")
    (root / "torn").mkdir()
    (root / "torn" / SPEC_FILE).write_text("{")
    assert list(Store(root).folders()) == [features]
