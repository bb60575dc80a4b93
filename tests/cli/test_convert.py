"""Published pickles become folders that load; anything in a pickle that would run is refused."""

import json
import pickle
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.cli import main
from abaw_jax.encoders.files import sha256_of
from abaw_jax.encoders.hub import open_checkpoint
from abaw_jax.encoders.load import load
from tests.encoders.tiny_checkpoints import arrays_of, config_of

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

PUBLIC = ("iresnet", "vggish", "soundnet")


def tensors_of(kind: str) -> dict:
    return {key: torch.tensor(value) for key, value in arrays_of(kind).items()}


def refused(capsys, *argv: str) -> str:
    assert main(["convert", *argv]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("nest", [None, "state_dict"])
@pytest.mark.parametrize("kind", PUBLIC)
def test_a_public_file_becomes_a_folder_that_loads(kind: str, nest: str | None, tmp_path: Path, capsys):
    file, out = tmp_path / "public.pth", tmp_path / "folders" / "made"
    state = tensors_of(kind)
    if kind == "soundnet":
        state["batchnorm1.num_batches_tracked"] = torch.tensor(3)
    torch.save({nest: state, "epoch": 3} if nest else state, file)
    assert main(["convert", str(file), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert f"sha256 {sha256_of(file)}  {file}" in said
    assert f"sha256 {sha256_of(out / 'model.safetensors')}" in said
    made = load(out)
    assert made.identity["kind"] == kind
    written = open_checkpoint(out).tensors()
    assert written.keys() == arrays_of(kind).keys()
    assert all(np.array_equal(written[key], value) for key, value in arrays_of(kind).items())
    assert open_checkpoint(out).config.items() >= {"model_type": kind}.items()


def test_a_second_file_adds_what_the_first_lacks(tmp_path: Path):
    network, pca, out = tmp_path / "vggish.pth", tmp_path / "pca.pth", tmp_path / "made"
    torch.save(tensors_of("vggish"), network)
    matrix, means = torch.rand(8, 8), torch.rand(8, 1)
    torch.save({"pca_eigen_vectors": matrix, "pca_means": means}, pca)
    assert main(["convert", str(network), str(pca), "--out", str(out)]) == 0
    assert load(out, view="pca").shape == (8,)
    np.testing.assert_array_equal(open_checkpoint(out).tensors()["pproc.pca_eigen_vectors"], matrix)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_hugging_face_pickle_keeps_its_names_types_and_neighbours(dtype, tmp_path: Path):
    folder, out = tmp_path / "pickled", tmp_path / "made"
    folder.mkdir()
    write_config(folder, "vit")
    (folder / "preprocessor_config.json").write_text('{"size": {"height": 32, "width": 32}}')
    state = {key: value.to(dtype) for key, value in tensors_of("vit").items()}
    torch.save(state, folder / "pytorch_model.bin")
    assert main(["convert", str(folder), "--out", str(out)]) == 0
    for name in ("config.json", "preprocessor_config.json"):
        assert (out / name).read_bytes() == (folder / name).read_bytes()
    found = open_checkpoint(out).tensors()
    assert {str(value.dtype) for value in found.values()} == {str(dtype).removeprefix("torch.")}
    key = "embeddings.cls_token"
    np.testing.assert_array_equal(found[key].astype(np.float32), state[key].float())
    assert jnp.isfinite(load(out).variables["params"]["layernorm"]["scale"]).all()


def write_config(folder: Path, kind: str) -> None:
    (folder / "config.json").write_text(json.dumps(config_of(kind)))


def test_shards_and_shared_memory_are_no_obstacle(tmp_path: Path):
    folder, out = tmp_path / "pickled", tmp_path / "made"
    folder.mkdir()
    write_config(folder, "vit")
    state = tensors_of("vit")
    names = sorted(state)
    together = torch.cat([state[name].reshape(-1) for name in names])
    views, at = {}, 0
    for name in names:  # all of them in one piece of memory, which safetensors would not write
        views[name] = together[at : at + state[name].numel()].reshape(state[name].shape)
        at += state[name].numel()
    places = {}
    for n, part in enumerate((names[:5], names[5:]), start=1):
        shard = f"pytorch_model-0000{n}-of-00002.bin"
        torch.save({name: views[name] for name in part}, folder / shard)
        places |= dict.fromkeys(part, shard)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    assert main(["convert", str(folder), "--out", str(out)]) == 0
    assert all(
        np.array_equal(value, arrays_of("vit")[key]) for key, value in open_checkpoint(out).tensors().items()
    )


class Bomb:
    def __reduce__(self):
        return Path.touch, (Path("exploded"),)


@pytest.mark.parametrize(
    "save", [torch.save, lambda what, path: Path(path).write_bytes(pickle.dumps(what, 2))]
)
def test_what_would_run_is_not_run(save, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save(Bomb(), "bomb.pth")
    assert "bomb.pth: holds more than tensors" in refused(capsys, "bomb.pth", "--out", "made")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bomb.pth"]


@pytest.mark.parametrize("contents", [b"", b"rubbish", b"PK\x03\x04 cut off"])
def test_rubbish_is_named(contents: bytes, tmp_path: Path, capsys):
    (tmp_path / "x.pth").write_bytes(contents)
    assert re.search(
        r"x\.pth: (no whole file of torch's|holds more than tensors)",
        refused(capsys, str(tmp_path / "x.pth"), "--out", str(tmp_path / "made")),
    )


def test_unknown_weights_are_told_what_was_expected(tmp_path: Path, capsys):
    torch.save({"fc.weight": torch.zeros(3)}, tmp_path / "x.pth")
    said = refused(capsys, str(tmp_path / "x.pth"), "--out", str(tmp_path / "made"))
    assert "expected the weights of one of iresnet, vggish, soundnet; found: " in said
    assert said.count("\n") == 1


def test_what_does_not_load_is_not_left_lying_about(tmp_path: Path, capsys):
    folder = tmp_path / "pickled"
    folder.mkdir()
    write_config(folder, "vit")
    state = tensors_of("vit")
    del state["embeddings.cls_token"]
    torch.save(state, folder / "pytorch_model.bin")
    assert "lacks 1 keys: embeddings.cls_token" in refused(
        capsys, str(folder), "--out", str(tmp_path / "made")
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pickled"]


def test_nothing_is_overwritten(tmp_path: Path, capsys):
    torch.save(tensors_of("soundnet"), tmp_path / "x.pth")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "mine").touch()
    assert "made: not empty" in refused(capsys, str(tmp_path / "x.pth"), "--out", str(tmp_path / "made"))
    (tmp_path / "made" / "mine").unlink()
    assert main(["convert", str(tmp_path / "x.pth"), "--out", str(tmp_path / "made")]) == 0


def test_missing_files_are_named(tmp_path: Path, capsys):
    assert "nowhere.pth: no such folder" in refused(capsys, "nowhere.pth", "--out", str(tmp_path / "made"))
    (tmp_path / "empty").mkdir()
    said = refused(capsys, str(tmp_path / "empty"), "--out", str(tmp_path / "made"))
    assert "found neither pytorch_model.bin nor pytorch_model.bin.index.json" in said
