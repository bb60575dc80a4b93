"""`abaw info` tells what is there, and what is missing too."""

import json
from pathlib import Path

import jax
import pytest
from huggingface_hub import constants

from abaw_jax.cli import main
from abaw_jax.store.features import Store
from abaw_jax.store.spec import FeatureSpec, Grid
from tests.encoders.tiny_checkpoints import tiny_checkpoint

__all__ = ["tiny_checkpoint"]


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def told(capsys, *argv: str) -> dict:
    assert main(["info", "--json", *argv]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_bare_machine(tmp_path: Path, capsys):
    found = told(capsys, "--store", str(tmp_path / "nowhere"))
    assert found["versions"]["jax"] == jax.__version__
    assert found["devices"][0]["count"] >= 1
    assert found["devices"][1]["kind"].startswith("jax cpu")
    assert "h264" in found["codecs"]["video"]
    assert found["encoders"] == []
    assert found["store"] == {"root": str(tmp_path / "nowhere"), "is_there": False, "features": []}


def test_encoders_of_the_cache_and_of_folders(hub: Path, tmp_path: Path, tiny_checkpoint, capsys):
    folder = tiny_checkpoint("vit")
    repository = hub / "models--owner--pickled"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    (snapshot / "config.json").write_text('{"model_type": "wav2vec2"}')
    (snapshot / "pytorch_model.bin").write_bytes(b"12345")
    other = tmp_path / "folders" / "bert"
    other.mkdir(parents=True)
    (other / "config.json").write_text('{"model_type": "bert"}')  # none of ours
    pickled, vit = told(capsys, "--encoders", str(tmp_path / "vit"), "--encoders", str(tmp_path / "folders"))[
        "encoders"
    ]
    assert pickled == {
        "source": "owner/pickled", "kind": "wav2vec2", "bytes": 5, "revision": "main",
        "state": "a pickle; `abaw convert owner/pickled --out FOLDER`",
    }  # fmt: skip
    size = (folder / "model.safetensors").stat().st_size
    assert vit == {"source": str(folder), "kind": "vit", "state": "ready", "bytes": size}


def test_what_lies_in_the_store(tmp_path: Path, capsys):
    features = Store(tmp_path).create(FeatureSpec("some-encoder", (4,), Grid(), {"kind": "x"}))
    writer = features.writer("7", 3)
    writer.abandon()
    (kind,) = told(capsys, "--store", str(tmp_path))["store"]["features"]
    assert kind["encoder"] == "some-encoder"
    assert kind["tracks"] == 0
    assert kind["bytes"] == (features.path / "spec.json").stat().st_size


@pytest.mark.parametrize("columns", ["80", "200"])
def test_it_fits_eighty_columns(columns: str, tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.chdir(tmp_path)
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert max(len(line) for line in out.split("\n")) <= 80 + len(str(tmp_path))
    assert "encoders on disk: none" in out
    assert f"feature store {tmp_path / 'features'}: not there yet" in out


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, capsys):
    assert main(["info", "--encoders", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err
