"""Benchmarks are programs; here they only have to run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from abaw_jax import bench
from abaw_jax.bench import corpus, evidence
from abaw_jax.bench.__main__ import BENCHMARKS
from abaw_jax.bench.timing import in_turn, report


def test_calls_are_timed_in_turn_after_a_warm_up():
    order = []
    taken = in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3)
    assert order == ["a", "b"] * 4
    assert {name: len(values) for name, values in taken.items()} == {"a": 3, "b": 3}


def test_the_last_line_is_json_with_both_sides(capsys):
    report("x", 2.0, 3.0, "s", 1.5, extra=1)
    line = json.loads(capsys.readouterr().out)
    assert {"bench", "ours", "theirs", "unit", "ratio", "machine", "extra"} == set(line)


def test_the_look_alike_has_the_size_of_the_real_corpus(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "ROWS", 300_000)
    paths = corpus.write_look_alike(tmp_path)
    assert len(paths) == corpus.TRACKS
    assert sum(len(path.read_text().split("\n")) - 2 for path in paths) == 300_000


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("va", ["both", "video", "audio"]),
        ("masked_transformer:au", ["both"]),
        ("expr_text_guided", ["both", "video", "audio", "no-words"]),
        ("au_local_global", ["both", "face", "audio"]),
    ],
)
def test_evidence_takes_away_each_modality_and_the_words(name: str, parts: list[str], monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    found = evidence.parts_of(evidence.open_config(name))
    assert list(found) == parts
    assert found["both"] == [] and found.get("no-words", ["text.share=0.0"]) == ["text.share=0.0"]
    if "face" in found:
        assert found["face"] == ["streams=('video', 'brows', 'middle', 'mouth')"]


def test_every_benchmark_is_listed_by_help():
    done = subprocess.run(
        [sys.executable, "-m", "abaw_jax.bench", "-h"], capture_output=True, text=True, check=True
    )
    files = (Path(bench.__file__).parent).glob("*.py")
    assert {file.stem for file in files if "\ndef run(" in file.read_text()} == set(BENCHMARKS)
    assert all(f"  {name} " in done.stdout for name in BENCHMARKS)
