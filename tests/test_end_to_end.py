"""The whole road on small things: from a corpus in any edition's folders to scores, pictures and a card."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ml_collections import ConfigDict

from abaw_jax.corpus.synthetic.cast import Size
from abaw_jax.corpus.synthetic.make import Plan, make
from abaw_jax.main import train
from tests.of_configs import config_of

pytestmark = pytest.mark.usefixtures("compile_once")
SIZE = Size(train=3, validation=2, test=1, seconds=2.0, fps=12.0)


def small(task: str, root: Path, folder: Path) -> ConfigDict:
    """A config as it is shipped, on a few rows: only sizes differ."""
    config = config_of(task, None)
    config.corpus.root, config.store.root = str(root), str(folder / "features")
    config.video.encoder, config.audio.encoder = "colours", "logmel"
    config.window.rows, config.window.stride, config.window.eval_stride = 12, 6, 12
    config.model.width, config.model.layers, config.model.heads = 16, 1, 2
    config.train.batch_size, config.train.steps, config.train.eval_every = 4, 2, 2
    return config


@pytest.mark.full
@pytest.mark.parametrize("edition", [3, 6, 8, 10])
def test_the_corpus_of_an_edition_trains_unchanged(edition: int, tmp_path: Path):
    make(Plan(tmp_path / "corpus", SIZE, edition=edition), workers=1)
    assert train(small("va", tmp_path / "corpus", tmp_path), "va", tmp_path / "run") == 0
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    assert card["rows"] == 48
    assert card["step"] == 2
    assert card["standards"] is None  # made without them: nothing to be held against


@pytest.mark.full
@pytest.mark.parametrize("task", ["expr", "au", "mtl"])
def test_the_other_tasks_take_the_same_road(task: str, small_media: Path, tmp_path: Path, capfd):
    assert train(small(task, small_media, tmp_path), task, tmp_path / "run") == 0
    said = capfd.readouterr().out
    assert "done after step 2" in said
    for file in json.loads((tmp_path / "run" / "card.json").read_text())["files"].values():
        assert Path(file).exists()


SYSTEMS = {
    "expr_dilated_fusion": "expr", "va_interactive": "va", "expr_text_guided": "expr", "va_soft_prompt": "va",
    "masked_transformer:au": "au", "au_local_global": "au",
}  # fmt: skip


@pytest.mark.full
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("is_resident", [False, True])
def test_a_published_system_takes_the_same_road(
    system: str, is_resident: bool, small_media: Path, tmp_path: Path
):
    name, _, variant = system.partition(":")
    config = config_of(name, variant or None)
    config.corpus.root, config.store.root = str(small_media), str(tmp_path / "features")
    config.train.batch_size, config.train.steps, config.train.eval_every = 4, 4, 2
    config.train.resident, config.train.log_every = is_resident, 1
    config.augment.update({"noise": 0.1, "mixup": 0.2, "modality_dropout": 0.2, "bands": 4})
    assert train(config, system, tmp_path / "run") == 0
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    assert (card["task"], card["config"], card["rows"]) == (SYSTEMS[system], system, 48)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    said = {key for line in lines for key in line}
    assert ("loss/words" in said) == (config.text.prompts != "none")
    if is_resident:
        return  # its checkpoint is as the other's
    again = tmp_path / "again"  # in a process that knows the checkpoint alone
    words = ["--mode=evaluate", f"--checkpoint={tmp_path / 'run'}", f"--out={again}"]
    subprocess.run([sys.executable, "-m", "abaw_jax.main", *words], check=True)
    score = json.loads((again / "scores.json").read_text())["intervals"][card["score"]["name"]]["score"]
    assert score == pytest.approx(card["score"]["value"], abs=1e-6)


@pytest.fixture
def small_media(tmp_path: Path) -> Path:
    make(Plan(tmp_path / "corpus", SIZE), workers=1)
    return tmp_path / "corpus"


@pytest.mark.parametrize("is_alone_too", [False, pytest.param(True, marks=pytest.mark.full)])
def test_without_a_corpus_one_is_made_once(is_alone_too: bool, tmp_path: Path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = small("va", tmp_path, tmp_path)
    with config.ignore_type():
        config.corpus.root = None
    config.synthetic.size = "tiny"
    assert train(config, "va", Path("run"), is_alone_too=is_alone_too) == 0
    first = capfd.readouterr().out
    assert "making a synthetic corpus in synthetic/tiny-edition10-seed0" in first
    assert json.loads(Path("run/card.json").read_text())["standards"]["ceiling"]["va"]["score"] > 0.9
    assert ("video alone" in first) == is_alone_too
    assert ("abaw compare run/evaluation/validation-2/rows.parquet" in first) == is_alone_too
    assert train(config, "va", Path("run"), is_alone_too=is_alone_too) == 0
    again = capfd.readouterr().out
    assert "making" not in again
    assert again[again.rindex("done after") :] == first[first.rindex("done after") :]
