"""A checkpoint alone says what was said in training, and writes every row that a challenge wants."""

import csv
import dataclasses
import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from abaw_jax.corpus.splits import LeakWarning
from abaw_jax.evaluation import files
from abaw_jax.store.spec import FeatureSpec, Grid
from abaw_jax.train import judge
from abaw_jax.train.checkpoint import UnusableCheckpoint
from abaw_jax.train.data import Stored
from abaw_jax.train.run import Run
from abaw_jax.train.saved import Saved, check_features, check_rows


@pytest.fixture
def trained(undisturbed) -> Path:
    return undisturbed[1]


def judged(path: Path, data, split: str = "validation", is_scored: bool = True, changes=()) -> Path:
    saved = Saved.find(path)
    run = Run.of(saved.config(changes), data, saved.stats)
    assert judge.run([judge.Member(saved, run)], split, is_scored, None) == 0
    return saved.run_folder / ("evaluation" if is_scored else "predictions") / f"{split}-{saved.step}"


def test_scores_are_exactly_those_of_training(trained: Path, learnable, capsys):
    history = Saved.find(trained).notes["history"]
    best = max(history, key=lambda entry: entry["score"])
    for entry in history:
        if not (trained / "checkpoints" / str(entry["step"])).exists():
            continue
        out = judged(trained / "checkpoints" / str(entry["step"]), learnable)
        assert json.loads((out / "scores.json").read_text())["all_rows"] == entry["scores"]
    out = judged(trained, learnable)
    assert out.name == f"validation-{best['step']}"
    assert f"va       {best['score']:.4f}  [" in capsys.readouterr().out


def test_rows_tracks_and_intervals_are_on_disk(trained: Path, learnable):
    out = judged(trained, learnable)
    table = files.read(out / "rows.parquet")
    tracks = learnable.corpus.split("va", "validation")
    assert len(table) == sum(track.rows for track in tracks)
    assert np.isfinite(table.va).all()
    with (out / "tracks.csv").open() as lines:
        assert [line["track"] for line in csv.DictReader(lines)] == sorted(track.name for track in tracks)
    report = json.loads((out / "scores.json").read_text())
    assert report["intervals"]["va"]["low"] <= report["all_rows"]["va"] <= report["intervals"]["va"]["high"]
    assert report["tuned"]["before"] is None


def test_smoothing_is_tuned_on_the_training_split_and_applied(trained: Path, learnable, capsys):
    changes = ("evaluation.tune=smoothing", "evaluation.smoothing=box", "evaluation.folds=3")
    out = judged(trained, learnable, changes=changes)
    tuned = json.loads((out / "scores.json").read_text())["tuned"]
    assert tuned["after"] >= tuned["before"]
    assert tuned["smoothing_s"] > 0  # the features are noisy, so it helps
    assert "tuned on folds of the training split" in capsys.readouterr().out


def test_every_row_of_a_split_is_predicted_without_labels(trained: Path, learnable, capsys):
    """Another split's rows with their labels gone: as a test split is."""
    corpus = learnable.corpus
    key = ("va", corpus.edition("va", "validation"), "test")
    tracks = {
        name: dataclasses.replace(track, labels={})
        for name, track in corpus.tracks.items()
        if track in corpus.split("va", "validation")
    }
    bare = dataclasses.replace(
        corpus,
        tracks=corpus.tracks | tracks,
        splits=corpus.splits | {key: tuple(tracks)},
        samples={("va", 2, "test"): "2.txt", key: "s of this one.txt", ("va", 3, "test"): "3.txt"},
    )
    out = judged(trained, Stored(bare, learnable.features), split="test", is_scored=False)
    table = files.read(out / "rows.parquet")
    wanted = files.read(judged(trained, learnable) / "rows.parquet")
    np.testing.assert_array_equal(table.va, wanted.va)
    (said,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("next: ")]
    words = ["abaw", "submit", str(out / "rows.parquet"), "--sample", str(corpus.root / "s of this one.txt")]
    assert shlex.split(said.removeprefix("next: ")) == words


def test_rows_without_a_face_can_be_gaps(trained: Path, learnable, tmp_path: Path):
    as_it_is = files.read(judged(trained, learnable) / "rows.parquet")
    assert as_it_is.no_face.any() and not as_it_is.filled.any()
    changes = ("evaluation.trusts_blind=false", "evaluation.fill=system_d")
    filled = files.read(judged(trained, learnable, changes=changes) / "rows.parquet")
    np.testing.assert_array_equal(filled.filled, as_it_is.no_face)
    np.testing.assert_array_equal(filled.va[~filled.filled], as_it_is.va[~filled.filled])
    inside = np.flatnonzero(filled.filled & (filled.row > 1))
    previous = inside - 1
    known = ~filled.filled[previous]
    np.testing.assert_array_equal(filled.va[inside[known]], filled.va[previous[known]])


def test_an_ensemble_is_the_mean_of_its_members(trained: Path, learnable, tmp_path: Path):
    paths = [trained / "checkpoints" / step for step in ("18", "24")]
    tables = [files.read(judged(path, learnable) / "rows.parquet") for path in paths]
    saved = [Saved.find(path) for path in paths]
    members = [judge.Member(one, Run.of(one.config(), learnable, one.stats)) for one in saved]
    assert judge.run(members, "validation", True, tmp_path) == 0
    together = files.read(tmp_path / "rows.parquet")
    np.testing.assert_allclose(together.va, np.mean([table.va for table in tables], axis=0), atol=1e-6)
    assert judge._digest(members) != judge._digest(members[:1])
    said = json.loads((tmp_path / "scores.json").read_text())["checkpoint"]
    assert said == f"{trained}, step 18; {trained}, step 24"


def test_an_ensemble_knows_who_has_learnt_from_what_is_scored(trained: Path, learnable):
    saved = Saved.find(trained)
    config = saved.config()
    config.fold = 2
    members = [judge.Member(saved, Run.of(c, learnable, saved.stats)) for c in (saved.config(), config)]
    with pytest.warns(LeakWarning, match=r"learnt from the validation split: .*, fold 2"):
        parts = judge.Judge(members).parts("validation")
    official = learnable.corpus.split("va", "validation")
    assert [list(part.tracks) for part in parts] == [official, official]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("task", "au", "found tasks va, au, expected the same of all"),
        ("edition", 3, "found several corpora, expected one: .*edition 3; .*edition None"),
    ],
)
def test_what_cannot_be_an_ensemble_is_refused(key: str, value: str, message: str, trained: Path, learnable):
    saved = Saved.find(trained)
    first, second = saved.config(), saved.config()
    where = {"task": second, "edition": second.corpus}
    where[key][key] = value
    members = [judge.Member(saved, Run.of(c, learnable, saved.stats)) for c in (first, second)]
    with pytest.raises(ValueError, match=message):
        judge.Judge(members)


def test_other_features_than_it_was_trained_on_are_refused(trained: Path):
    specs = {"video": FeatureSpec("video", (6,), Grid(), {"kind": "other"})}
    with pytest.raises(
        UnusableCheckpoint, match=r"other features: video.identity.kind: found other, expected test"
    ):
        check_features(Saved.find(trained).notes, specs, trained)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.width=3", "expected KEY=VALUE of: corpus, store.root"),
        ("evaluation.fil=linear", "no such key; there are: ensemble, fill, folds"),
        ("evaluation.folds=many", "--set evaluation.folds=many"),
        ("evaluation.folds", "expected KEY=VALUE"),
        ("corpus.root.x=1", "--set corpus.root.x: no such key; corpus.root has none below it"),
    ],
)
def test_keys_that_make_it_another_model_are_refused(change: str, message: str, trained: Path):
    with pytest.raises(ValueError, match=message):
        Saved.find(trained).config([change])


def test_a_folder_of_digits_is_a_folder(trained: Path):
    assert Saved.find(trained).config(["corpus.root=2024", "evaluation.folds=7"]).corpus.root == "2024"


def test_other_training_rows_than_it_was_begun_with_are_refused(undisturbed):
    run, workdir = undisturbed
    check_rows(Saved.find(workdir).notes, run.task.stats, workdir)
    other = dataclasses.replace(run.task.stats, centre={"video": (0.0,) * 6})
    with pytest.raises(UnusableCheckpoint, match="begun with other training rows, or other features"):
        check_rows(Saved.find(workdir).notes, other, workdir)


def test_a_damaged_newest_one_is_told_and_the_best_found_without_it(trained: Path, tmp_path: Path, caplog):
    shutil.copytree(trained / "checkpoints", tmp_path / "checkpoints")
    for path in (tmp_path / "checkpoints" / "24" / "notes").rglob("*"):
        if path.is_file():
            path.write_text("{")
    assert Saved.find(tmp_path).step in (6, 12, 18)
    assert "looking at the one before it" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("tune=thresholds", "tune: found 'thresholds', which are of action units, for va"),
        ("tune=smoothing", "tune: found 'smoothing', expected evaluation.smoothing to name a kernel"),
        ("tune=magic", "tune: found 'magic', expected one of: nothing, smoothing, thresholds"),
        ("fill=linar", "fill: found 'linar', expected one of: previous, next, nearest, linear"),
        ("smoothing=mean", "smoothing: found 'mean', expected one of: none, box, gaussian, median"),
        ("smoothing_s=-1.0", "smoothing_s: found -1, expected 0 or more"),
        ("ensemble=median", "ensemble: found 'median', expected one of: mean, ccc_centred"),
    ],
)
def test_words_of_evaluation_that_cannot_be_are_refused(change: str, message: str, trained: Path, learnable):
    config = Saved.find(trained).config([f"evaluation.{change}"])
    with pytest.raises(ValueError, match=f"evaluation.{message}"):
        Run.of(config, learnable)


def test_what_is_not_there_is_said(trained: Path, tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="found no checkpoint, expected a run's folder"):
        Saved.find(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no such checkpoint; steps there: .*24"):
        Saved.find(trained / "checkpoints" / "7")
    shutil.copytree(trained / "checkpoints", tmp_path / "checkpoints")  # a copy serves as well
    assert Saved.find(tmp_path).step == Saved.find(trained).step
