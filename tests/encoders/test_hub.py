"""Where weights come from: folders, the hub's cache, the hub; and what is said where there are none."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import ml_dtypes
import numpy as np
import pytest
from huggingface_hub import constants, errors
from safetensors.numpy import save_file

from abaw_jax.encoders.files import UnusableWeights
from abaw_jax.encoders.hub import PICKLED, open_checkpoint, open_folder

NAME = "owner/some-model"
OLD, NEW = "0" * 40, "1" * 40


@pytest.fixture
def cache(tmp_path: Path, monkeypatch) -> Path:
    """An empty cache of the hub's, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def fill(folder: Path, weights: tuple[str, ...] = ("model.safetensors",), value: float = 0.0) -> Path:
    """A folder in Hugging Face layout; of pickles only the names count."""
    folder.mkdir(parents=True)
    for name in ("config.json", "preprocessor_config.json"):
        (folder / name).write_text(json.dumps({"value": value}))
    for name in weights:
        if name.endswith(".safetensors"):
            save_file({"w": np.full(3, value, np.float32)}, folder / name)
        else:
            (folder / name).write_text("{}")
    return folder


def snapshot(cache: Path, commit: str = OLD, ref: str | None = "main", **contents) -> Path:
    """One revision of the model, as the hub's client lays it out."""
    repository = cache / "models--owner--some-model"
    if ref:
        (repository / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
        (repository / "refs" / ref).write_text(commit)
    return fill(repository / "snapshots" / commit, **contents)


def message(source: str | Path) -> str:
    with pytest.raises(UnusableWeights) as raised:
        open_checkpoint(source)
    return str(raised.value)


def test_without_a_network_the_message_names_the_files_and_two_ways(cache: Path):
    said = message(NAME)
    assert said.startswith(f"{NAME}: config.json and model.safetensors are not on this machine")
    assert "Two ways to provide them: run once with a network, or copy the model's folder here" in said
    assert "\n" not in said


def test_a_hub_that_does_not_answer_is_no_traceback(tmp_path: Path):
    code = (
        "from abaw_jax.encoders.hub import open_checkpoint\n"
        "from abaw_jax.encoders.files import UnusableWeights\n"
        "try: open_checkpoint('owner/some-model')\n"
        "except UnusableWeights as error: print(error)"
    )
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    ours = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=ours | nowhere, capture_output=True, text=True, check=True
    )
    assert "the hub cannot be reached (ConnectError)" in done.stdout


def test_what_is_in_the_cache_needs_no_network(cache: Path):
    folder = snapshot(cache, value=2.0)
    found = open_checkpoint(NAME)
    assert found.folder == folder
    assert found.name == "some-model"
    assert found.tensors()["w"].tolist() == [2.0] * 3


@pytest.mark.parametrize("revision", ["v2", "refs/pr/1", NEW])
def test_a_revision_picks_its_snapshot(revision: str, cache: Path):
    snapshot(cache, value=1.0)
    snapshot(cache, NEW, ref=None if revision == NEW else revision, value=2.0)
    assert open_checkpoint(NAME).config == {"value": 1.0}
    found = open_checkpoint(f"{NAME}@{revision}")
    assert found.config == {"value": 2.0}
    assert found.name == "some-model"


def test_a_revision_that_is_not_there_is_not_replaced_by_another(cache: Path):
    snapshot(cache)
    assert "cannot be reached" in message(f"{NAME}@v3")


@pytest.mark.parametrize("weights", [("pytorch_model.bin",), ()])
def test_a_cached_snapshot_without_safetensors_is_not_taken(weights: tuple[str, ...], cache: Path):
    snapshot(cache, weights=weights)
    way_out = (
        f"`abaw convert {NAME} --out FOLDER`" if weights else "model.safetensors are not on this machine"
    )
    assert way_out in message(NAME)


def test_a_download_that_was_cut_off_is_not_taken(cache: Path):
    shard, lost = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    folder = snapshot(cache, weights=(shard,))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard, "w": lost}}))
    assert "not on this machine" in message(NAME)
    save_file({"w": np.ones(1, np.float32)}, folder / lost)
    assert open_checkpoint(NAME).folder == folder


def test_other_files_of_the_repository_need_not_be_there(cache: Path):
    """The hub's client lists all files of a commit; a snapshot that lacks its README is whole to us."""
    folder = snapshot(cache)
    trees = cache / "models--owner--some-model" / "trees"
    trees.mkdir()
    (trees / f"{OLD}.json").write_text(json.dumps({"README.md": {"size": 1, "blob_id": "0"}}))
    assert open_checkpoint(NAME).folder == folder


def test_weights_that_came_without_their_preprocessing_are_told_of(cache: Path, caplog):
    folder = snapshot(cache)
    (folder / "preprocessor_config.json").unlink()
    assert open_checkpoint(NAME).folder == folder
    assert "no preprocessor_config.json on disk; going by its kind's defaults" in caplog.text
    caplog.clear()
    known = cache / "models--owner--some-model" / ".no_exist" / OLD / "preprocessor_config.json"
    known.parent.mkdir(parents=True)
    known.touch()
    assert open_checkpoint(NAME).folder == folder
    assert not caplog.text


class Hub:
    """The network: what the hub has, and what was asked of it."""

    def __init__(self, cache: Path, files: tuple[str, ...] | Exception) -> None:
        self.cache, self.files, self.downloads = cache, files, []

    def model_info(self, name: str, revision: str) -> SimpleNamespace:
        if isinstance(self.files, Exception):
            raise self.files
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=file) for file in self.files])

    def snapshot_download(self, name: str, revision: str, allow_patterns: list[str]) -> str:
        self.downloads.append((revision, allow_patterns))
        return str(snapshot(self.cache, NEW, None if revision == NEW else revision, weights=self.files))


@pytest.fixture
def hub(cache: Path, monkeypatch):
    """`hub(files or error)` puts one in place of the network."""

    def put(files: tuple[str, ...] | Exception) -> Hub:
        made = Hub(cache, files)
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: made)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", made.snapshot_download)
        return made

    return put


def test_what_was_downloaded_once_is_found_without_a_network(hub):
    network = hub(("model.safetensors",))
    folder = open_checkpoint(NAME).folder
    ((revision, wanted),) = network.downloads
    assert revision == "main"
    assert {"config.json", "preprocessor_config.json", "model.safetensors"} <= set(wanted)
    assert not [name for name in wanted if name.endswith((".bin", ".h5", ".msgpack"))]
    hub(ConnectionError())
    assert open_checkpoint(NAME).folder == folder


def test_nothing_is_downloaded_of_a_model_that_only_has_pickles(hub):
    network = hub(("pytorch_model.bin", "config.json"))
    assert f"`abaw convert {NAME} --out FOLDER`" in message(NAME)
    assert not network.downloads
    hub(("flax_model.msgpack",))
    assert "the hub has neither model.safetensors nor model.safetensors.index.json of it" in message(NAME)


def test_pickles_are_fetched_for_who_asks_for_them(hub):
    network = hub(("pytorch_model.bin",))
    assert (open_folder(NAME, PICKLED) / "pytorch_model.bin").exists()
    assert "pytorch_model.bin" in network.downloads[0][1]


def refusal(kind: type[Exception]) -> Exception:
    response = SimpleNamespace(headers={}, request=SimpleNamespace(url="", method="GET"), status_code=404)
    return kind("no", response=response)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errors.RepositoryNotFoundError, "no such folder, and the hub has no such model"),
        (errors.GatedRepoError, "its owner wants a consent first"),
        (errors.RevisionNotFoundError, "found revision 'v9', expected a branch, tag or commit"),
        (errors.HfHubHTTPError, "the hub cannot be reached (HfHubHTTPError)"),
    ],
)
def test_each_refusal_of_the_hub_is_told_apart(error: type[Exception], said: str, hub):
    hub(refusal(error))
    assert said in message(f"{NAME}@v9")


@pytest.mark.parametrize(
    "source",
    ["nowhere", "a/b/c", "../up/there", "owner/..", "owner/name@../../etc", "a b/c", "/no/where", "ö/ö"],
)
def test_nonsense_is_named(source: str, cache: Path):
    assert message(source) == (
        f"{source}: no such folder, and no hub id (owner/name or owner/name@revision); "
        "of weights that are pickles `abaw convert` makes a folder"
    )


def test_names_that_the_hub_forbids_are_named(cache: Path):
    assert message("a--b/c").startswith("a--b/c: no such folder, and no hub id (Cannot have -- or ..")


def test_a_file_is_no_folder(tmp_path: Path):
    file = fill(tmp_path / "m") / "model.safetensors"
    assert message(file) == f"{file}: found a file, expected the folder that it is in"


@pytest.mark.parametrize("name", ["model", "my model (2)", "x@y", ".hidden"])
def test_a_folders_name_may_stand_in_a_path(name: str, tmp_path: Path, monkeypatch):
    folder = fill(tmp_path / "at@home" / name)
    expected = {"my model (2)": "my-model-2-", "x@y": "x-y", ".hidden": "hidden"}.get(name, name)
    assert open_checkpoint(folder).name == expected
    monkeypatch.chdir(folder)
    assert open_checkpoint(".").name == expected


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (b"", "unreadable safetensors"),
        (b"\x80\x04rubbish", "unreadable safetensors"),
        (
            b'\x50\0\0\0\0\0\0\0{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}'.ljust(89, b" "),
            "unre",
        ),
    ],
)
def test_broken_weights_are_named(contents: bytes, said: str, tmp_path: Path):
    folder = fill(tmp_path / "m")
    (folder / "model.safetensors").write_bytes(contents)
    with pytest.raises(UnusableWeights, match=f"model.safetensors: {said}"):
        open_checkpoint(folder).tensors()


def test_bfloat16_is_read_before_anything_else_taught_numpy(tmp_path: Path):
    folder = fill(tmp_path / "m")
    save_file({"w": np.ones(3, ml_dtypes.bfloat16)}, folder / "model.safetensors")
    code = (
        "from abaw_jax.encoders.hub import open_checkpoint\nimport sys\n"
        "print(open_checkpoint(sys.argv[1]).tensors()['w'].dtype)"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert done.stdout == "bfloat16\n"


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ("{}", "found no weight_map"),
        ('{"weight_map": {"w": "../x.safetensors"}}', "a file name without folders"),
        ('{"weight_map": {"w": "x.safetensors"}}', "no such file"),
        ("[]", "found list"),
        ("{", "not JSON"),
    ],
)
def test_a_broken_index_is_named(index: str, said: str, tmp_path: Path):
    folder = fill(tmp_path / "m", weights=())
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(UnusableWeights, match=said):
        _ = open_checkpoint(folder).weight_files
