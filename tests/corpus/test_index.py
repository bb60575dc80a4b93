"""Each thing that one source says of a track and another does not has its own message."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from abaw_jax.corpus.cache import open_corpus
from abaw_jax.corpus.containers import VideoFacts, probe, row_times, write_facts

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
    second, *unreadable = problems_of(root, tmp_path)
    assert second == "videos/batch2/1.avi: second file of a stem: found 1, expected only videos/batch1/1.mp4"
    assert [line.split(": ")[:2] for line in unreadable] == [
        ["videos/batch1/1.mp4", "unreadable video"], ["videos/batch2/1.avi", "unreadable video"],
    ]  # fmt: skip


def test_of_two_videos_the_one_that_can_be_read_counts(tiny_root: Path, root: Path, tmp_path: Path):
    write(root, "videos/1.avi", b"")
    write(root, "videos/1.mp4", (tiny_root / "videos" / "batch1" / "video2.mp4").read_bytes())
    track = open_corpus(root, cache_dir=tmp_path / "cache").tracks["1"]
    assert (track.video_path, track.fps) == ("videos/1.mp4", 30.0)


def test_a_title_in_another_encoding_is_no_reason_to_refuse(tiny_root: Path, tmp_path: Path):
    path = tmp_path / "a.mp4"
    content = (tiny_root / "videos" / "batch1" / "video2.mp4").read_bytes()
    assert content.count(b"Lavf") == 1
    path.write_bytes(content.replace(b"Lavf", "é".encode("latin-1") * 4))
    assert probe(path).fps == 30.0


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


def test_stills_of_the_fourth_edition_are_no_tracks(root: Path, tmp_path: Path):
    for name in ("ANGRER/0.jpg", "ANGRER/12345.jpg", "FEAR/00001.jpg"):
        image(root, f"training_set_synthetic_images/{name}")
    assert problems_of(root, tmp_path) == []


def test_a_sample_with_holes(root: Path, tmp_path: Path):
    lines = "".join(f"9/{row:05d}.jpg,\n" for row in (1, 2, 4))
    write(root, "test_release/ABAW_VA_test_set_sample.txt", "image_location,valence,arousal\n" + lines)
    (problem,) = problems_of(root, tmp_path)
    assert problem.endswith("sample has holes: found 3 lines for 9, expected rows 1 to 4, once each")


def test_text_files_that_are_no_annotations_are_noted(root: Path, tmp_path: Path):
    write(root, "README.txt", "Dear participant, thanks\nfor all\n")
    write(root, "test_release/readme.txt", "README\nThis is a text.\n")
    assert problems_of(root, tmp_path) == [
        "README.txt:1: not an annotation file: found 'Dear participant, thanks', expected a header line",
        "test_release/readme.txt:1: not an annotation file: found 'README', expected a header line",
    ]
    assert list(open_corpus(root, cache_dir=tmp_path / "cache").tracks) == ["1"]


@pytest.mark.parametrize("data", [b"", b"\0" * 64, b"0.1,0.2\n0.1,0.2\n", b"3\n3\n", b"valence;arousal\n"])
def test_what_is_no_label_file_in_a_split_is_a_problem(data: bytes, root: Path, tmp_path: Path):
    write(root, f"{TRAIN}/2.txt", data)
    (problem,) = open_corpus(root, cache_dir=tmp_path / "cache").problems
    assert (problem.kind, problem.level) == ("unknown header", "problem")


def test_a_label_file_without_rows_is_a_problem(root: Path, tmp_path: Path):
    write(root, f"{TRAIN}/2.txt", "valence,arousal\n")
    assert problems_of(root, tmp_path) == [
        f"{TRAIN}/2.txt: no rows: found a header alone, expected a label a frame"
    ]


MTL_ROW = "0.5,0.5,3" + ",0" * 12


def test_predictions_in_the_root_are_never_taken_for_labels_or_samples(root: Path, tmp_path: Path):
    write(root, "predictions.txt", f"image,valence,arousal,expression,aus\n1/00001.jpg,{MTL_ROW}\n")
    write(root, "mine/va.txt", "image_location,valence,arousal\n1/00001.jpg,0.1,0.1\n")
    corpus = open_corpus(root, cache_dir=tmp_path / "cache")
    assert list(corpus.splits) == [("va", 10, "train")]
    assert [(p.kind, p.found, p.level) for p in corpus.problems] == [
        ("not read", "a list of 1 images", "note")
    ] * 2


def test_of_several_lists_the_sample_is_the_sample(root: Path, tmp_path: Path):
    for name in ("a_example.txt", "b_sample.txt", "a_release.txt"):
        write(root, f"test_release/{name}", "image_location,valence,arousal\n9/00001.jpg,\n")
    assert list(open_corpus(root, cache_dir=tmp_path / "cache").samples.values()) == [
        "test_release/b_sample.txt"
    ]


def test_mtl_rows_past_the_end_and_repeated_ones_are_told(root: Path, tmp_path: Path):
    rows = [f"1/{row:05d}.jpg,{MTL_ROW}\n" for row in (2, 11, 2)]
    write(root, "MTL/training_set_annotations.txt", "image,valence,arousal,expression,aus\n" + "".join(rows))
    assert [line.split(": ", 1)[1] for line in problems_of(root, tmp_path)] == [
        "rows past the end: found 1 lines of 1, expected rows up to 10; left out",
        "repeated rows: found 1 lines of 1, expected every row once; the last counts",
    ]


def test_a_folder_goes_by_its_own_name_not_by_a_links(root: Path, tmp_path: Path):
    (root / TRAIN).parent.joinpath("All_set").symlink_to("Train_Set")
    assert list(open_corpus(root, cache_dir=tmp_path / "cache").splits) == [("va", 10, "train")]


def test_links_that_lead_nowhere_are_told_and_seen_when_they_lead_somewhere(root: Path, tmp_path: Path):
    (root / TRAIN / "2.txt").symlink_to(tmp_path / "away.txt")
    (root / "loop").symlink_to("loop")
    assert problems_of(root, tmp_path) == [
        "loop: dangling link: found nothing behind it, expected a file or a folder",
        f"{TRAIN}/2.txt: dangling link: found nothing behind it, expected a file or a folder",
    ]
    (tmp_path / "away.txt").write_text(va(4))
    assert open_corpus(root, cache_dir=tmp_path / "cache").tracks["2"].rows == 4


def test_what_cannot_be_read_now_is_tried_again(root: Path, tmp_path: Path, monkeypatch):
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied") if path.name == "1.txt" else AssertionError

    monkeypatch.setattr(Path, "read_bytes", refuse)
    (problem,) = problems_of(root, tmp_path)
    assert problem == f"{TRAIN}/1.txt: unreadable file: found Permission denied, expected a text file"
    monkeypatch.setattr(Path, "read_bytes", read)
    assert problems_of(root, tmp_path) == []


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"stem,fps\n1,30\n", "unknown header"),
        (b"stem,fps,frames,duration_s\n1,thirty,5,2\n", "not a number"),
        (b"stem,fps,frames,duration_s\n1,inf,5,2\n", "impossible clock"),
        (b"stem,fps,frames,duration_s\nvid\xe9o,30,5,2\n", "unreadable table"),
        (b"stem,fps,frames,duration_s\n" + b"1" * 200_000 + b",30,5,2\n", "unreadable table"),
    ],
)
def test_a_bad_table_of_rates_is_a_problem_and_no_more(data: bytes, kind: str, root: Path, tmp_path: Path):
    write(root, "video_facts.csv", data)
    (problem,) = open_corpus(root, cache_dir=tmp_path / "cache").problems
    assert problem.kind == kind


def test_images_by_another_name_and_empty_sounds_are_told(root: Path, tmp_path: Path):
    write(root, "cropped/1/1.JPG", b"x")
    write(root, "sounds/1.wav", b"")
    assert problems_of(root, tmp_path) == [
        "cropped/1: image names: found 1 such as 1.JPG, expected five digits and .jpg",
        "sounds/1.wav: empty sound: found 0 bytes, expected a sound",
    ]


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
