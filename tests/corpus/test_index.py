"""Each thing that one source says of a track and another does not has its own message."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from abaw_jax.corpus.cache import open_corpus
from abaw_jax.corpus.containers import VideoFacts, row_times, write_facts

TRAIN = "annotations/VA_Estimation_Challenge/Train_Set"


def write(root: Path, name: str, text: str | bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def va(rows: int) -> str:
    return "valence,arousal\n" + "0.1,0.2\n" * rows


def problems_of(root: Path, tmp_path: Path) -> list[str]:
    return [str(p).replace(f"{root}/", "") for p in open_corpus(root, cache_dir=tmp_path / "cache").problems]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "root", f"{TRAIN}/1.txt", va(10))
    return tmp_path / "root"


def test_a_clean_root_has_no_problems(root: Path, tmp_path: Path):
    assert problems_of(root, tmp_path) == []


def test_files_that_disagree_on_the_length(root: Path, tmp_path: Path):
    write(
        root,
        "annotations/EXPR_Recognition_Challenge/Train_Set/1.txt",
        "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other\n1\n2\n",
    )
    (problem,) = problems_of(root, tmp_path)
    assert "1.txt: rows disagree: found 2 rows of 1, expected 10 rows, as in its longest file" in problem
    track = open_corpus(root, cache_dir=tmp_path / "cache").tracks["1"]
    assert track.rows == 10
    np.testing.assert_array_equal(np.flatnonzero(track.labels_for("expr")["expr_mask"]), [0, 1])


def test_a_label_file_that_stands_twice(root: Path, tmp_path: Path):
    write(root, "annotations/VA_Estimation_Challenge/Validation_Set/1.txt", va(10).replace("0.1", "0.3"))
    (problem,) = problems_of(root, tmp_path)
    assert "second label file: found other labels for 1, expected one a track and edition" in problem


def test_the_same_file_in_a_folder_of_ones_own_is_fine(root: Path, tmp_path: Path):
    write(root, "annotations/VA_Estimation_Challenge/All_set/1.txt", va(10))
    assert problems_of(root, tmp_path) == []


def test_rows_and_frames_that_differ_too_much(root: Path, tmp_path: Path):
    for frames, count in ((6, 1), (8, 0), (9, 0), (13, 0), (14, 1)):
        write_facts(root / "video_facts.csv", {"1": VideoFacts(30.0, frames, frames / 30)})
        problems = problems_of(root, tmp_path)
        assert len(problems) == count, (frames, problems)
    assert problems == [
        "1: rows and frames disagree: found 10 rows of 1 for 14 frames, expected a difference of -3 to +2"
    ]


def test_two_videos_of_one_stem_and_one_that_cannot_be_read(root: Path, tmp_path: Path):
    write(root, "videos/batch1/1.mp4", b"not a video")
    write(root, "videos/batch2/1.avi", b"not a video")
    first, second = problems_of(root, tmp_path)
    assert first == "videos/batch2/1.avi: second file of a stem: found 1, expected videos/batch1/1.mp4"
    assert second.startswith("videos/batch1/1.mp4: unreadable video: found")


def test_a_track_without_its_video(root: Path, tmp_path: Path):
    write(root, f"{TRAIN}/12.txt", va(3))
    write(root, "videos/12.mp4", b"x")
    assert "1: no video: found none, expected 1.mp4 or .avi" in problems_of(root, tmp_path)


def image(root: Path, name: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(root / name)


def test_images_past_the_last_row_or_of_no_track_or_twice(root: Path, tmp_path: Path):
    image(root, "cropped_aligned/1/00010.jpg")
    assert problems_of(root, tmp_path) == []
    image(root, "cropped_aligned/1/00011.jpg")
    image(root, "cropped_aligned/elsewhere/00001.jpg")
    image(root, "cropped_aligned_new/1/00001.jpg")
    assert problems_of(root, tmp_path) == [
        "cropped_aligned_new/1: second image folder: found cropped_aligned_new/1, expected cropped_aligned/1",
        "cropped_aligned/1: images past the last row: found 1 images past row 10, expected none",
        "cropped_aligned/elsewhere: images without labels: found elsewhere, expected a label or list",
    ]


def test_a_track_without_images_beside_some_with(root: Path, tmp_path: Path):
    write(root, f"{TRAIN}/2.txt", va(3))
    image(root, "cropped_aligned/1/00001.jpg")
    assert problems_of(root, tmp_path) == ["2: no images: found none, expected a folder 2"]


def test_aligned_crops_are_preferred(root: Path, tmp_path: Path):
    image(root, "cropped/1/00001.jpg")
    image(root, "extra/cropped_aligned/cropped_aligned_new_50_vids/1/00002.jpg")
    image(root, "cropped/1/.DS_Store.jpg")
    track = open_corpus(root, cache_dir=tmp_path / "cache").tracks["1"]
    assert np.flatnonzero(track.has_image()).tolist() == [1]
    assert np.flatnonzero(track.has_image("cropped")).tolist() == [0]


def test_a_sample_with_holes(root: Path, tmp_path: Path):
    lines = "".join(f"9/{row:05d}.jpg,\n" for row in (1, 2, 4))
    write(root, "test_release/ABAW_VA_test_set_sample.txt", "image_location,valence,arousal\n" + lines)
    (problem,) = problems_of(root, tmp_path)
    assert problem.endswith("sample has holes: found 3 lines for 9, expected rows 1 to 4")


def test_text_files_that_are_no_annotations_are_noted_and_damaged_ones_reported(root: Path, tmp_path: Path):
    write(root, "readme.txt", "hello there\n")
    write(root, f"{TRAIN}/../Validation_Set/3.txt", "valence;arousal,x\n")
    found = problems_of(root, tmp_path)
    assert any("readme.txt:1: not an annotation file: found 'hello there'" in problem for problem in found)
    assert any("3.txt:1: unknown header: found 'valence;arousal,x'" in problem for problem in found)


def test_a_name_that_would_leave_the_root_is_refused(root: Path, tmp_path: Path):
    write(
        root,
        "MTL/training_set_annotations.txt",
        "image,valence,arousal,expression,aus\n../../etc/00001.jpg,0.1,0.1,1" + ",0" * 12 + "\n",
    )
    (problem,) = problems_of(root, tmp_path)
    assert problem.endswith(
        ":2: not an image name: found '../../etc/00001.jpg', expected <track>/<5 digits>.jpg"
    )


def test_a_root_may_hold_links_to_itself(root: Path, tmp_path: Path):
    (root / "loop").symlink_to(root)
    assert len(open_corpus(root, cache_dir=tmp_path / "cache").tracks) == 1


def test_row_times_follow_the_container_and_go_on_behind_it():
    assert row_times(None, 3) is None
    np.testing.assert_allclose(row_times(VideoFacts(10.0, 3, 0.3), 3), [0.05, 0.15, 0.25])
    indexed = VideoFacts(10.0, 3, 0.3, times_s=np.array([0.0, 0.1, 0.25]))
    np.testing.assert_allclose(row_times(indexed, 5), [0.0, 0.1, 0.25, 0.35, 0.45])
    np.testing.assert_allclose(row_times(indexed, 2), [0.0, 0.1])
