"""Benchmarks are programs; here they only have to run."""

import json
import subprocess
import sys

from abaw_jax.bench import corpus
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


def test_every_benchmark_is_listed_by_help():
    done = subprocess.run(
        [sys.executable, "-m", "abaw_jax.bench", "-h"], capture_output=True, text=True, check=True
    )
    assert all(name in done.stdout for name in BENCHMARKS)
