"""Every edition's layout is read alike, and told apart by its paths."""

import shutil
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from abaw_jax.corpus.cache import open_corpus
from abaw_jax.corpus.editions import edition_of, split_of
from abaw_jax.corpus.synthetic.cast import Size
from abaw_jax.corpus.synthetic.layout import LAYOUTS, MTL_STEP
from abaw_jax.corpus.synthetic.make import Plan, make

SIZE = Size(train=2, validation=2, test=1, seconds=2.0, fps=12.0)
WITH_TRACKS = [edition for edition, layout in LAYOUTS.items() if layout.tasks]
WITH_MTL = {3: 3, 4: 4, 7: 7, 10: 7, 11: 11}
"""The 10th edition's own release has no MTL; the 7th's lies beside it."""


@pytest.mark.parametrize("edition", WITH_TRACKS)
def test_rows_masks_and_splits_of_every_layout(edition: int, tmp_path: Path):
    plan = Plan(tmp_path / "root", SIZE, edition=edition, with_crops=False, with_sounds=False)
    witnesses = {w.name: w for w in make(plan, workers=1)}
    corpus = open_corpus(tmp_path / "root", cache_dir=tmp_path)
    refused = {1: ("expr", "au"), 2: ("expr",)}.get(edition, ())
    for task in ("va", "expr", "au"):
        if task in refused:
            assert not [key for key in corpus.splits if key[0] == task]
            continue
        for split, count in (("train", 2), ("validation", 2)):
            tracks = corpus.split(task, split, edition)
            assert len(tracks) == count
            for track in tracks:
                labels = witnesses[track.name].labels
                np.testing.assert_array_equal(track.labels_for(task, edition)[task], labels[task])
                np.testing.assert_array_equal(
                    track.labels_for(task, edition)[f"{task}_mask"], labels[f"{task}_mask"]
                )
                assert track.rows == 24
                assert track.fps == 12
    legacy = [problem for problem in corpus.problems if problem.kind == "legacy header"]
    assert len(legacy) == 4 * len(refused)
    assert len(corpus.problems) == len(legacy)


@pytest.mark.parametrize("edition", [5, 6, 8, 9, 10])
def test_sample_files_give_the_rows_of_test_tracks(edition: int, tmp_path: Path):
    make(Plan(tmp_path / "root", SIZE, edition=edition, with_crops=False, with_sounds=False), workers=1)
    corpus = open_corpus(tmp_path / "root", cache_dir=tmp_path)
    for task in ("va", "expr", "au"):
        (track,) = corpus.split(task, "test", edition)
        assert track.rows == 24
        assert (task, edition, "test") in corpus.samples


@pytest.mark.parametrize(("layout", "edition"), WITH_MTL.items())
def test_mtl_lists_are_spread_over_the_rows(layout: int, edition: int, tmp_path: Path):
    plan = Plan(tmp_path / "root", SIZE, edition=layout, with_sounds=False)
    witnesses = {w.name: w for w in make(plan, workers=1)}
    corpus = open_corpus(tmp_path / "root", cache_dir=tmp_path)
    assert len(corpus.split("mtl", "train", edition)) == len(corpus.split("mtl", "validation", edition)) == 2
    if LAYOUTS[layout].mtl_test:
        assert len(corpus.split("mtl", "test", edition)) == 1
    for track in corpus.split("mtl", "train"):
        labels, written = track.labels["mtl", edition], witnesses[track.name].labels
        rows = np.arange(0, track.rows, MTL_STEP)
        for key, values in written.items():
            np.testing.assert_array_equal(labels[key][rows], values[rows])
        assert labels["va_mask"].sum() == len(rows)


def test_a_root_with_mtl_alone_takes_its_length_from_frames_and_images(tmp_path: Path):
    make(Plan(tmp_path / "root", SIZE, edition=4, with_sounds=False), workers=1)
    corpus = open_corpus(tmp_path / "root", cache_dir=tmp_path)
    for track in corpus.tracks.values():
        last_image = int(np.flatnonzero(track.has_image())[-1]) + 1
        assert 17 <= last_image <= track.rows == 24  # rows 1, 9 and 17 are listed, the clock has 24 frames


@pytest.mark.parametrize(
    ("path", "root", "edition", "split"),
    [
        ("VA_Set/Training_Set/1.txt", "annotations", 1, "train"),
        ("VA_Set/Train_Set/1.txt", "annotations", 2, "train"),
        ("Third ABAW Annotations/VA_Estimation_Challenge/Validation_Set/1.txt", "x", 3, "validation"),
        ("3rd_ABAW_Annotations/MTL_Challenge/train_set.txt", "x", 3, "train"),
        ("training_set_annotations.txt", "x", 4, "train"),
        ("5th_ABAW_Annotations/EXPR_Classification_Challenge/Train_Set/1.txt", "x", 5, "train"),
        ("AU_Detection_Challenge/Train_Set/1.txt", "6th ABAW Annotations", 6, "train"),
        ("6th_ABAW_Annotations/AU_Detection_Challenge/Train_Set/video10_1.txt", "x", 6, "train"),
        ("MTL/validation_set_annotations.txt", "x", 7, "validation"),
        ("8th_ABAW_Annotations/VA_Estimation_Challenge/Train_Set/9-15-1920x1080.txt", "x", 8, "train"),
        ("9th ABAW Annotations/VA_Estimation_Challenge/Train_Set/1.txt", "x", 9, "train"),
        ("ABAW Annotations/ABAW Annotations/EXPR_Recognition_Challenge/Train_Set/1.txt", "x", 10, "train"),
        ("annotations/VA_Estimation_Challenge/Validation_Set/1.txt", "x", 10, "validation"),
        ("training_set_annotations.txt", "s-Aff-Wild2", 11, "train"),
        ("prediction_files_format/CVPR_5th_ABAW_VA_test_set_sample.txt", "x", 5, "test"),
        ("test_set_examples/ABAW_Expr_test_set_example.txt", "x", None, "test"),
        ("annotations/VA_Estimation_Challenge/fold_3/1.txt", "x", 10, "fold_3"),
        ("annotations/VA_Estimation_Challenge/fold_3/val/1.txt", "x", 10, "fold_3/validation"),
        ("annotations/VA_Estimation_Challenge/Train_Set/1.txt", "abaw26-expr", 10, "train"),
        ("annotations/VA_Estimation_Challenge/Train_Set/1.txt", "batch1_abaw", 10, "train"),
        ("annotations/VA_Estimation_Challenge/train/1.txt", "x", 10, "train"),
    ],
)
def test_edition_and_split_are_told_by_the_path(path: str, root: str, edition: int | None, split: str):
    assert edition_of(PurePosixPath(path), (root,)) == edition
    assert split_of(PurePosixPath(path)) == split


def test_the_caller_may_overrule_edition_and_split(tmp_path: Path):
    folder = tmp_path / "root" / "mine" / "part_a"
    folder.mkdir(parents=True)
    (folder / "1.txt").write_text("valence,arousal\n0.1,0.2\n")
    corpus = open_corpus(tmp_path / "root", cache_dir=tmp_path)
    assert list(corpus.splits) == [("va", None, "part_a")]
    corpus = open_corpus(tmp_path / "root", edition=8, splits={"mine/part_a": "train"}, cache_dir=tmp_path)
    assert list(corpus.splits) == [("va", 8, "train")]


def test_the_task_is_the_headers_not_the_folders(tmp_path: Path):
    folder = tmp_path / "root" / "EXPR_Recognition_Challenge" / "Train_Set"
    folder.mkdir(parents=True)
    (folder / "1.txt").write_text("valence,arousal\n0.1,0.2\n")
    assert list(open_corpus(tmp_path / "root", cache_dir=tmp_path).splits) == [("va", 10, "train")]


def test_a_stray_folder_does_not_make_the_first_edition(tmp_path: Path):
    folder = tmp_path / "root" / "VA_Estimation_Challenge" / "Train_Set"
    folder.mkdir(parents=True)
    (folder / "1.txt").write_text("valence,arousal\n0.1,0.2\n")
    (tmp_path / "root" / "training_set").mkdir()
    assert list(open_corpus(tmp_path / "root", cache_dir=tmp_path).splits) == [("va", 10, "train")]


def test_the_root_may_be_a_link_or_a_set_within_an_edition(tmp_path: Path):
    folder = tmp_path / "6th_ABAW_Annotations" / "VA_Estimation_Challenge" / "Train_Set"
    folder.mkdir(parents=True)
    (folder / "1.txt").write_text("valence,arousal\n0.1,0.2\n")
    (tmp_path / "plain").mkdir()
    (tmp_path / "5th_ABAW").symlink_to(tmp_path / "plain")
    shutil.copytree(
        tmp_path / "6th_ABAW_Annotations" / "VA_Estimation_Challenge",
        tmp_path / "plain" / "VA_Estimation_Challenge",
    )
    for root, edition in (
        (folder, 6),
        (folder.parent, 6),
        (folder.parent.parent, 6),
        (tmp_path / "5th_ABAW", 5),
    ):
        assert list(open_corpus(root, cache_dir=tmp_path / "cache").splits) == [("va", edition, "train")], (
            root
        )


def test_a_split_for_a_folder_that_is_not_there_is_an_error(small_root: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="has no folder 'nowhere' to be given a split"):
        open_corpus(small_root, splits={"nowhere": "train"}, cache_dir=tmp_path)
    corpus = open_corpus(small_root, splits={"./ABAW Annotations/": "val"}, cache_dir=tmp_path)
    assert {split for _, edition, split in corpus.splits if edition == 10} == {"validation", "test"}
