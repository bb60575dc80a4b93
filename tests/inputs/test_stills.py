"""Stills are the files' own pixels; what is not there or cannot be read is absent and told."""

import numpy as np
import pytest
from PIL import Image

from abaw_jax.corpus.tracks import Track
from abaw_jax.inputs.plan import make_plan
from abaw_jax.inputs.source import LabelChoice
from abaw_jax.inputs.stills import StillsSource
from abaw_jax.inputs.windows import Rows, WindowSpec
from abaw_jax.media.images import read_image

ROWS, SIZE = 6, 20
SPEC = WindowSpec((0,), {"image": Rows((0,))})


@pytest.fixture
def track(tmp_path) -> Track:
    """Row 3 has no image, row 5 a broken one, row 6 one of another size."""
    rng, folder = np.random.default_rng(0), tmp_path / "cropped_aligned" / "t"
    folder.mkdir(parents=True)
    for row in (1, 2, 4, 5, 6):
        size = 33 if row == 6 else SIZE
        pixels = rng.integers(0, 256, (size, size, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{row:05d}.jpg")
    (folder / "00005.jpg").write_bytes((folder / "00005.jpg").read_bytes()[:100])
    labels = {("expr", 1): {"expr": np.arange(ROWS) % 8, "expr_mask": np.ones(ROWS, bool)}}
    there = np.arange(1, ROWS + 1) != 3
    kind = "cropped_aligned"
    return Track("t", ROWS, labels, {kind: there}, {kind: "cropped_aligned/t"})


def test_a_still_is_a_window_of_one_row(track: Track, tmp_path, caplog):
    source = StillsSource([track], tmp_path, SIZE, LabelChoice(("expr",)))
    plan = make_plan(SPEC, source.timelines, source.grids, for_training=True)
    assert len(plan) == ROWS
    for _ in range(2):  # told once, absent always
        batch = source.read(plan, np.arange(ROWS)[::-1])
        assert batch["image"].shape == (ROWS, 1, SIZE, SIZE, 3)
        assert batch["present/image"][::-1, 0].tolist() == [True, True, False, True, False, True]
        assert batch["expr"][::-1, 0].tolist() == list(range(ROWS))
        assert not batch["image"][~batch["present/image"]].any()
    for row in (1, 2, 4):
        wanted = read_image(tmp_path / "cropped_aligned" / "t" / f"{row:05d}.jpg")
        np.testing.assert_array_equal(batch["image"][ROWS - row, 0], wanted)
    assert [record.message.count("00005.jpg") for record in caplog.records] == [1]


def test_a_track_without_images_is_absent(track: Track, tmp_path):
    bare = Track("bare", 4, track.labels, {}, {})
    source = StillsSource([bare], tmp_path, SIZE, LabelChoice(("va",)))
    plan = make_plan(SPEC, source.timelines, source.grids, for_training=False)
    assert not source.read(plan, np.arange(4))["present/image"].any()
