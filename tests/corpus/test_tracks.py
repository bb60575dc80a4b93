"""The look-alike with every odd case, read with the right rows, clocks, masks and splits."""

import numpy as np
import pytest

from abaw_jax.corpus.synthetic.cast import TINY, cast_tiny
from abaw_jax.corpus.synthetic.make import witness
from abaw_jax.corpus.tracks import Corpus, video_stem

PARTS = {part.name: part for part in cast_tiny(0)}


def test_rows_in_are_rows_out(tiny: Corpus):
    assert {name: track.rows for name, track in tiny.tracks.items()} == {row[0]: row[2] for row in TINY}
    for track in tiny.tracks.values():
        for labels in track.labels.values():
            assert {len(values) for values in labels.values()} == {track.rows}


def test_every_label_and_mask_is_the_one_that_was_written(tiny: Corpus):
    for written in witness(PARTS.values(), is_tiny=True):
        track = tiny.tracks[written.name]
        for task, split in PARTS[written.name].splits.items():
            found = track.labels_for(task)
            if split == "test":
                assert found is None
                continue
            np.testing.assert_array_equal(found[task], written.labels[task])
            np.testing.assert_array_equal(found[f"{task}_mask"], written.labels[f"{task}_mask"])


def test_splits_are_keyed_by_task_and_edition(tiny: Corpus):
    for task in ("va", "expr", "au"):
        for split in ("train", "validation", "test"):
            expected = sorted(part.name for part in PARTS.values() if part.splits.get(task) == split)
            assert [track.name for track in tiny.split(task, split, 10)] == expected
    with pytest.raises(KeyError, match="no test split for mtl; splits found: au/test"):
        tiny.split("mtl", "test")
    with pytest.raises(KeyError, match="no train split for va in edition 6; there: 10"):
        tiny.split("va", "train", 6)


def test_stems_are_exact_and_subjects_share_their_video(tiny: Corpus):
    assert tiny.tracks["102"].video_path == "videos/batch2/102.avi"
    assert tiny.tracks["102-30-640x360"].video_path == "videos/batch1/102-30-640x360.mp4"
    left, right = tiny.tracks["video10_1_left"], tiny.tracks["video10_1_right"]
    assert left.video == right.video == "video10_1"
    assert left.video_path == right.video_path == "videos/batch1/video10_1.mp4"
    assert left.sound_path == right.sound_path
    assert tiny.tracks["video59_right"].video_path == tiny.tracks["video59"].video_path


@pytest.mark.parametrize(
    ("track", "stem"),
    [
        ("video10_1_left", "video10_1"),
        ("10-60-1280x720_right", "10-60-1280x720"),
        ("video86_2", "video86_2"),
        ("102", "102"),
    ],
)
def test_only_left_and_right_are_stripped(track: str, stem: str):
    assert video_stem(track) == stem


def test_the_clock_is_the_containers(tiny: Corpus):
    for name, fps, rows, frames, *_ in TINY:
        track = tiny.tracks[name]
        assert track.fps == pytest.approx(fps, abs=1e-3), name
        assert track.facts.frames == frames, name
        times = track.times_s
        assert len(times) == rows
        np.testing.assert_allclose(np.diff(times), 1 / track.fps, rtol=0.04)
        np.testing.assert_allclose(times, times[0] + np.arange(rows) / track.fps, atol=2e-3)


def test_rows_with_an_image_are_known(tiny: Corpus):
    assert tiny.tracks["5-60-640x360-1"].has_image()[:300].sum() == 0
    assert tiny.tracks["5-60-640x360-1"].has_image()[300:].mean() > 0.8
    assert 0 < tiny.tracks["video2_left"].has_image().mean() < 0.2
    assert tiny.tracks["451"].has_image()[-1], "the last row has an image though the container ends before it"
    share = np.concatenate(
        [tiny.tracks[name].has_image() for name in ("7-60-640x360", "86", "118-30-640x480")]
    ).mean()
    assert 0.95 < share < 1


def test_mtl_lines_fill_masks_into_the_rows(tiny: Corpus):
    track = tiny.tracks["7-60-640x360"]
    sparse, dense = track.labels["mtl", 7], track.labels_for("va")
    rows = np.flatnonzero(sparse["va_mask"])
    assert set(rows % 8) == {0}
    np.testing.assert_array_equal(sparse["va"][rows], dense["va"][rows])
    assert not dense["va_mask"][[row for row in range(0, track.rows, 8) if row not in rows]].any()


def test_what_is_wrong_is_named(tiny: Corpus, tiny_root):
    found = {str(problem).replace(f"{tiny_root}/", "") for problem in tiny.problems}
    folder = "ABAW Annotations/ABAW Annotations/VA_Estimation_Challenge/Train_Set"
    assert found == {
        f"{folder}/493.txt:12: blank line: found nothing, expected a row; the line is not counted",
        "videos/batch3/451.avi: no sound: found no audio stream, expected one",
    }


def test_the_sample_file_is_kept_for_prediction(tiny: Corpus):
    assert tiny.samples["va", 10, "test"].endswith("ABAW_VA_test_set_sample.txt")
