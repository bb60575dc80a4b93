"""Packaged and read back, windows are those of the store to the bit."""

import dataclasses
import importlib.util
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from abaw_jax.corpus.containers import VideoFacts
from abaw_jax.corpus.tracks import Corpus, Track
from abaw_jax.inputs.packaged import Contents, Packaged, Spoken, segment_bounds
from abaw_jax.inputs.plan import make_plan
from abaw_jax.inputs.source import LabelChoice, StoreSource
from abaw_jax.inputs.windows import Native, Rows, Seconds, WindowSpec, contiguous
from abaw_jax.store.features import Store
from abaw_jax.store.spec import FeatureSpec, Grid

ROWS = {"a": 70, "b": 9, "c": 0, "d": 131}
GRIDS = {
    "video": (Grid(), (3, 2), "bfloat16"),
    "audio": (Grid("native", rate_hz=50.0, start_s=0.01), (4,), "float16"),
    "slow": (Grid(sample_hz=4.0), (2,), "float32"),
}
TASKS = ("va", "expr", "au")


def builders():
    path = Path(__file__).parents[2] / "data" / "segments.py"
    spec = importlib.util.spec_from_file_location("segments", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["segments"] = module
    spec.loader.exec_module(module)
    return module.Affwild2Tracks, module.Affwild2Segments


def make_track(name: str, rows: int) -> Track:
    rng = np.random.default_rng(rows)
    labels = {("va", 10): {"va": rng.uniform(-1, 1, (rows, 2)), "va_mask": rng.random(rows) < 0.8}}
    if name != "b":  # one without
        labels["expr", 8] = {"expr": rng.integers(0, 8, rows), "expr_mask": rng.random(rows) < 0.8}
        both = {"va": rng.uniform(-1, 1, (rows, 2)), "va_mask": rng.random(rows) < 0.1}
        both |= {"expr": rng.integers(0, 8, rows), "expr_mask": rng.random(rows) < 0.2}
        both |= {"au": rng.integers(0, 2, (rows, 12)), "au_mask": rng.random((rows, 12)) < 0.3}
        labels["mtl", 10] = both
        labels["au", None] = {"au": rng.integers(0, 2, (rows, 12)), "au_mask": rng.random((rows, 12)) < 0.8}
    times_s = np.sort(rng.uniform(0, rows / 25, rows)) if name == "a" else None
    facts = VideoFacts(25.0, rows, rows / 25, times_s=times_s)
    return Track(name, rows, labels, {"cropped": rng.random(rows) < 0.9}, {}, facts=facts)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """(corpus, features, the same packaged)"""
    root = tmp_path_factory.mktemp("packaged")
    tracks = {name: make_track(name, rows) for name, rows in ROWS.items()}
    corpus = Corpus(root, tracks, {("va", 10, "train"): tuple(tracks)}, {}, {}, {}, ())
    features, rng = {}, np.random.default_rng(0)
    for name, (grid, shape, dtype) in GRIDS.items():
        folder = Store(root / "store").create(FeatureSpec(name, shape, grid, {"kind": "test"}, dtype))
        for track in tracks.values():
            count = 2 * track.rows if grid.kind == "native" else len(grid.rows(track.rows, track.fps))
            writer = folder.writer(track.name, count)
            for number in range(count):
                value = rng.standard_normal((1, *shape)).astype(np.float32)
                writer.skip(1) if number % 7 == 3 else writer.append(value)
            writer.commit({})
        features[name] = folder
    specs = {name: found.spec for name, found in features.items()}
    contents = Contents.of(specs, corpus, 32, Spoken("states", "tiny-clip", np.eye(27, 3).tolist()))
    for builder in builders():
        made = builder(contents=contents, corpus=corpus, features=features, data_dir=root / "out")
        made.download_and_prepare()
    return corpus, features, Packaged(root / "out")


def test_words_come_back_for_the_prompts_and_the_encoder_that_they_are_of_alone(both):
    packaged = both[2]
    np.testing.assert_array_equal(packaged.words("states", "tiny-clip"), np.eye(27, 3, dtype=np.float32))
    with pytest.raises(
        ValueError, match="packaged with 'states' of tiny-clip, expected 'expressions' of tiny-clip"
    ):
        packaged.words("expressions", "tiny-clip")


def test_tracks_labels_clocks_and_splits_come_back_as_they_were(both):
    corpus, features, packaged = both
    assert packaged.corpus.splits == corpus.splits
    assert packaged.specs == {name: found.spec for name, found in features.items()}
    for name, track in corpus.tracks.items():
        found = packaged.corpus.tracks[name]
        assert (found.rows, found.fps, found.labels.keys()) == (track.rows, track.fps, track.labels.keys())
        np.testing.assert_array_equal(found.times_s, track.times_s)
        np.testing.assert_array_equal(found.has_image(), track.has_image())
        for key, labels in track.labels.items():
            for kind, value in labels.items():
                np.testing.assert_array_equal(found.labels[key][kind], value)


FIXED = {"audio": Native(-0.4, 25), "slow": Rows((-3, 0))}
SPECS = {
    "contiguous": dataclasses.replace(
        contiguous(40, ("video",), 13, 13, edge="mask"), reaches={"video": Rows.span(0, 40), **FIXED}
    ),
    "clamped": WindowSpec((0,), {"video": Rows.span(-40, 1), **FIXED}, 3, 3, edge="clamp"),
    "seconds": WindowSpec((0, 2), {"video": Seconds((-2.0, -0.5, 0.0)), **FIXED}, 2, 2),
}


@pytest.mark.parametrize("kind", SPECS)
def test_batches_are_equal_to_the_bit(kind: str, both):
    corpus, features, packaged = both
    ours = packaged.source(packaged.corpus.split("va", "train"), LabelChoice(TASKS))
    wanted = StoreSource(corpus.split("va", "train"), features, LabelChoice(TASKS))
    for for_training in (True, False):
        plans = [make_plan(SPECS[kind], s.timelines, s.grids, for_training) for s in (ours, wanted)]
        windows = np.random.default_rng(0).permutation(len(plans[1]))
        assert len(plans[0]) == len(plans[1]) > 0
        one, other = (s.read(p, windows) for s, p in zip((ours, wanted), plans, strict=True))
        assert one.keys() == other.keys()
        for key, value in other.items():
            assert (one[key].dtype, one[key].shape) == (value.dtype, value.shape), key
            assert one[key].tobytes() == value.tobytes(), key
    assert one["video"].dtype == ml_dtypes.bfloat16


def test_everything_at_once_is_the_same_too(both):
    corpus, features, packaged = both
    ours = packaged.source(packaged.corpus.split("va", "train"), LabelChoice(TASKS)).joined()
    wanted = StoreSource(corpus.split("va", "train"), features, LabelChoice(TASKS)).joined()
    for name in GRIDS:
        assert ours.values[name].values.tobytes() == wanted.values[name].values.tobytes()


@pytest.mark.parametrize(
    ("rows", "vectors", "length"), [(0, 0, 4), (1, 7, 4), (9, 9, 4), (8, 16, 4), (10, 3, 4)]
)
def test_segments_cover_every_vector_once(rows: int, vectors: int, length: int):
    bounds = segment_bounds(rows, vectors, length)
    assert (bounds[0], bounds[-1]) == (0, vectors)
    assert (np.diff(bounds) >= 0).all()
    if rows == vectors:
        assert bounds.tolist() == [min(k * length, rows) for k in range(len(bounds))]


def test_a_folder_that_is_none_is_said(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="found no affwild2_tracks, expected a folder that"):
        Packaged(tmp_path)


def test_tensorflow_is_not_needed(both):
    """Neither to write nor to read."""
    assert "tensorflow" not in sys.modules
    line = (
        f"import sys; from abaw_jax.inputs.packaged import Packaged; Packaged({str(both[2].corpus.root)!r}); "
    )
    done = subprocess.run([sys.executable, "-c", line + "sys.exit('tensorflow' in sys.modules)"], check=False)
    assert done.returncode == 0
