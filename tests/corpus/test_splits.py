"""Folds by video, and videos that leak between splits."""

import warnings

import pytest

from abaw_jax.corpus.splits import LeakWarning, all_leaks, folds, leaks, warn_of_leaks
from abaw_jax.corpus.tracks import Corpus, Track


def tracks_of(rows: dict[str, int]) -> list[Track]:
    return [Track(name, count, {}, {}, {}) for name, count in rows.items()]


def test_folds_never_split_a_video():
    tracks = tracks_of(
        {f"video{n}{side}": 100 + 7 * n for n in range(20) for side in ("_left", "_right", "")}
    )
    made = folds(tracks, 6)
    assert sorted(t.name for fold in made for t in fold) == sorted(t.name for t in tracks)
    for fold in made:
        others = {t.video for other in made if other is not fold for t in other}
        assert not others & {t.video for t in fold}


def test_folds_are_balanced_by_rows_and_follow_the_seed():
    tracks = tracks_of({f"v{n}": 50 + (n * 37) % 400 for n in range(60)})
    totals = [sum(t.rows for t in fold) for fold in folds(tracks, 5)]
    assert max(totals) - min(totals) < 0.05 * max(totals)
    assert folds(tracks, 5, seed=1) == folds(tracks[::-1], 5, seed=1)
    assert folds(tracks, 5, seed=1) != folds(tracks, 5, seed=2)


def test_more_folds_than_videos_is_an_error():
    with pytest.raises(ValueError, match="1 videos cannot make 2 folds"):
        folds(tracks_of({"a_left": 5, "a_right": 5}), 2)


def test_a_test_video_of_one_task_in_anothers_training_is_found(tiny: Corpus):
    found = leaks(tiny, [("expr", 10, "train")], [("va", 10, "test")])
    assert [leak.video for leak in found] == ["102"]
    assert str(found[0]) == "102 is in expr/train (edition 10) and in va/test (edition 10)"


def test_subjects_of_one_video_in_two_splits_of_one_task_are_found(tiny: Corpus):
    found = leaks(tiny, [("expr", 10, "train")], [("expr", 10, "validation")])
    assert [leak.video for leak in found] == ["video10_1"]
    assert {leak.video for leak in all_leaks(tiny)} == {"102", "102-30-640x360", "video10_1"}


def test_a_run_that_crosses_a_leak_is_warned(tiny: Corpus):
    with pytest.warns(LeakWarning, match="102 is in expr/train"):
        warn_of_leaks(tiny, [("expr", 10, "train")], [("va", 10, "test")])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_leaks(tiny, [("va", 10, "train")], [("va", 10, "validation")])
