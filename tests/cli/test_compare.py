"""Of two runs on the same rows, which is better and whether the tracks bear it out."""

import json
from pathlib import Path

import numpy as np
import pytest

from abaw_jax.cli import main
from abaw_jax.corpus.cache import open_corpus
from abaw_jax.evaluation import files
from abaw_jax.evaluation.table import RowTable
from abaw_jax.inputs.source import LabelChoice
from abaw_jax.train.data import truth_of


def table(root: Path, noise: float, out: Path) -> Path:
    truth = truth_of(open_corpus(root).split("va", "validation"), LabelChoice(("va",), "va"))
    rng = np.random.default_rng(1)
    va = np.where(truth.va_mask[:, None], truth.va, 0) + noise * rng.standard_normal(truth.va.shape)
    made = RowTable.build(truth.tracks, truth.track, truth.row, va=va.clip(-1, 1).astype(np.float32))
    files.write(made, out)
    return out


def test_the_better_one_is_told(tiny_root: Path, tmp_path: Path, capsys):
    good, bad = (table(tiny_root, noise, tmp_path / f"{noise}.parquet") for noise in (0.05, 0.8))
    assert main(["compare", str(good), str(bad), "--corpus", str(tiny_root)]) == 0
    out = capsys.readouterr().out
    assert "tracks of va/validation; 1000 resamples, 95% intervals" in out
    assert [line.rpartition(": ")[2] for line in out.splitlines()[1:]] == ["better"] * 3
    assert main(["compare", str(bad), str(good), "--corpus", str(tiny_root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["va"]["high"] < 0


def test_a_run_against_itself_is_no_difference(tiny_root: Path, tmp_path: Path, capsys):
    one = str(table(tiny_root, 0.1, tmp_path / "one.parquet"))
    assert main(["compare", one, one, "--corpus", str(tiny_root)]) == 0
    assert "+0.0000 [+0.0000, +0.0000], p = 1.000: no difference that can be told" in capsys.readouterr().out


def test_a_table_of_other_tracks_gets_no_verdict(tiny_root: Path, tmp_path: Path, capsys):
    one = table(tiny_root, 0.1, tmp_path / "one.parquet")
    whole = files.read(one)
    half = RowTable.build(whole.tracks[:1], *(a[whole.track == 0] for a in (whole.track, whole.row)),
                          va=whole.va[whole.track == 0])  # fmt: skip
    files.write(half, tmp_path / "half.parquet")
    assert main(["compare", str(one), str(tmp_path / "half.parquet"), "--corpus", str(tiny_root)]) == 2
    assert "half.parquet: no predictions of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [(["--task", "expr"], "no predictions of 1 of 5 tracks"), (["--split", "tset"], "no tset split for va")],
)
def test_what_cannot_be_compared_is_said(more, message: str, tiny_root: Path, tmp_path: Path, capsys):
    one = str(table(tiny_root, 0.1, tmp_path / "one.parquet"))
    assert main(["compare", one, one, "--corpus", str(tiny_root), *more]) == 2
    assert message in capsys.readouterr().err
