"""The front door as a person opens it: one clear line for what is wrong, and no traceback."""

import json
import os
import re
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from abaw_jax import main
from abaw_jax.corpus.splits import LeakWarning
from tests.extract.conftest import write_clip, write_whisper

CONFIG = Path(__file__).parent.parent / "configs" / "va.py"
TINY_CLIP = CONFIG.with_name("tiny_clip.py")


def ask(*argv: str, cwd: Path | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "abaw_jax.main", *argv], capture_output=True, text=True, cwd=cwd
    )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ((), "--config=FILE is missing"),
        (("--config=nowhere.py",), "--config=nowhere.py: no such file"),
        ((f"--config={CONFIG}", "--config.synthetic.size=huge"), "no size 'huge'; expected one of: tiny"),
        ((f"--config={CONFIG}", "--config.corpus.root=/nowhere"), "/nowhere: no such folder"),
        ((f"--config={CONFIG}", "--config.strems=video"), 'Did you mean "streams" instead of "strems"?'),
        ((f"--config={CONFIG}", "--config.extract.batchsize=3"), 'Did you mean "batch_size"'),
        ((f"--config={CONFIG}", "--config.extract.batch_size=x"), "--config.extract.batch_size=x: invalid"),
        (
            (f"--config={CONFIG}", "--mode=etract"),
            "--mode=etract: value should be one of <train|extract|evaluate|predict>",
        ),
        ((f"--config={CONFIG}", "--confg=x"), "Unknown command line flag 'confg'. Did you mean: config ?"),
        ((f"--config={CONFIG}", "extra"), "found 'extra', expected flags only"),
        (
            (f"--config={TINY_CLIP}", "--mode=extract"),
            "learns from lessons of its own: there is nothing to extract",
        ),
        ((f"--config={CONFIG}", "--config.foo=1"), "config: found no key 'foo'; all there are stand in"),
        (
            (f"--config={CONFIG}", "--config.streams=('video', 'logmel')"),
            "streams: found 'logmel', expected some of: audio, video",
        ),
        (
            (f"--config={CONFIG}", "--checkpoint=x"),
            "--checkpoint is for --mode=evaluate and predict, not for train",
        ),
        ((f"--config={CONFIG}", "--mode=extract", "--alone"), "--alone is for --mode=train, not for extract"),
        (
            ("--mode=evaluate", "--checkpoint=x", "--dry_run"),
            "--dry_run is for --mode=train and extract, not for evaluate",
        ),
        (
            (f"--config={CONFIG}", "--config.evaluation.fill=linar"),
            "evaluation.fill: found 'linar', expected one",
        ),
        (
            (f"--config={CONFIG}", "--config.model.name=lstm"),
            "model.name: found 'lstm', expected one of: temp",
        ),
        ((f"--config={CONFIG}:x",), "found the variant 'x', expected one of: tiny, real"),
    ],
)
def test_one_line_and_no_traceback(argv: tuple[str, ...], said: str, tmp_path: Path):
    done = ask(*argv, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_warning_is_one_line(monkeypatch):
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    main.say_warnings_in_one_line()
    assert (
        warnings.formatwarning(LeakWarning("seen before"), LeakWarning, "x.py", 3)
        == "LeakWarning: seen before\n"
    )


@pytest.fixture(scope="module")
def line(tiny_root: Path, tmp_path_factory) -> list[str]:
    """The tiny corpus, tiny encoders, three tracks."""
    folder = tmp_path_factory.mktemp("front")
    return [
        f"--config={CONFIG}", "--mode=extract", f"--config.corpus.root={tiny_root}",
        f"--config.video.encoder={write_clip(folder / 'clip')}",
        f"--config.audio.encoder={write_whisper(folder / 'whisper')}",
        f"--config.store.root={folder / 'features'}", "--config.extract.tracks=('7-60-640x360',)",
    ]  # fmt: skip


def test_a_dry_run_says_how_much_and_makes_nothing(line: list[str]):
    done = ask(*line, "--dry_run")
    assert done.returncode == 0, done.stderr
    video, place, audio, _ = done.stdout.strip().split("\n")
    assert video.startswith("video: 1 tracks to make, 0 there; ")
    assert " vectors, " in video
    assert " inputs/s" in video
    assert audio.startswith("audio: 1 tracks to make, 0 there; ")
    folder = Path(place.removeprefix("  into "))
    assert not list(folder.glob("*.npy"))


def test_a_run_says_what_was_made_and_a_second_what_was_there(line: list[str]):
    first, second = ask(*line), ask(*line)
    assert first.returncode == second.returncode == 0, first.stderr
    assert "video: 1 tracks made (" in first.stdout
    assert "device busy" in first.stdout
    assert "video: 0 tracks made (0 vectors, 0 B), 1 were there" in second.stdout


def test_training_makes_the_features_that_are_lacking_and_is_done_the_second_time(
    tiny_root: Path, tmp_path: Path
):
    line = [
        f"--config={CONFIG}", f"--config.corpus.root={tiny_root}",
        "--config.streams=('video',)", "--config.video.encoder=colours",
        "--config.train.steps=4", "--config.train.eval_every=2", "--config.train.batch_size=4",
        "--config.model.width=16", "--config.model.layers=1", "--config.window.rows=24",
    ]  # fmt: skip
    first, second = ask(*line, cwd=tmp_path), ask(*line, cwd=tmp_path)
    assert first.returncode == second.returncode == 0, first.stderr
    assert "video: 14 tracks made" in first.stdout
    assert "done after step 4; runs/va" in first.stdout
    assert re.search(r"[\d,]+ parameters, \d+ windows to learn from; runs/va", first.stdout)
    assert "video: 0 tracks made" in second.stdout
    ending = first.stdout[first.stdout.index("done after step") :]
    assert second.stdout.endswith(ending)
    assert "validation" in ending
    assert "what to type next" in ending
    for name in ("card.json", "learning_curve.png", "trajectory.png"):
        assert (tmp_path / "runs/va" / name).is_file(), name
    scored = ask("--mode=evaluate", "--checkpoint=runs/va", cwd=tmp_path)
    assert scored.returncode == 0, scored.stderr
    assert "rows, scores, scores of each track: runs/va/evaluation/validation-" in scored.stdout


@pytest.mark.full
def test_two_processes_make_features_and_train_as_one_does(tiny_root: Path, tmp_path: Path):
    line = [
        f"--config={CONFIG}", f"--config.corpus.root={tiny_root}",
        "--config.video.encoder=colours", "--config.audio.encoder=logmel",
        "--config.train.steps=4", "--config.train.eval_every=2", "--config.train.log_every=1",
        "--config.train.batch_size=4", "--config.model.width=16", "--config.model.layers=1",
    ]  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        address = f"localhost:{probe.getsockname()[1]}"
    together = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
    (tmp_path / "two").mkdir()
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "abaw_jax.main", *line], cwd=tmp_path / "two",
            env=os.environ | together | {"JAX_PROCESS_ID": str(number)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    (tmp_path / "one").mkdir()
    assert ask(*line, cwd=tmp_path / "one").returncode == 0
    logs = [
        [json.loads(row) for row in (tmp_path / kind / "runs/va/metrics.jsonl").read_text().splitlines()]
        for kind in ("one", "two")
    ]
    assert [row["step"] for row in logs[0]] == [row["step"] for row in logs[1]]
    for one, two in zip(*logs, strict=True):
        for key in one.keys() & {"loss", "score/va"}:
            assert two[key] == pytest.approx(one[key], rel=1e-4)
    assert sum("done after step 4" in out for out, _ in said) == 1  # told once


def test_weights_that_cannot_be_had_are_named_with_the_two_ways(line: list[str], tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    done = ask(*line, "--config.video.encoder=owner/name")
    assert done.returncode == 2
    assert "owner/name: config.json and model.safetensors are not on this machine" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
