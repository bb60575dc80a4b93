"""Every variant for a real corpus asks for exactly the right files, of the hub or of a converted folder."""

import json
import re
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import HfApi

from abaw_jax.encoders.convert import convert
from abaw_jax.encoders.files import UnusableWeights
from abaw_jax.encoders.load import SIGNALS, load
from tests.encoders.tiny_checkpoints import arrays_of
from tests.encoders.tiny_checkpoints import config_of as tiny_config
from tests.of_configs import FOLDER, NAMES, config_of, variants_of

REAL = [(n, v) for n in NAMES for v in variants_of(n) if v and v.endswith("real")]
HUB = {
    "openai/clip-vit-large-patch14",
    "openai/whisper-base",
    "facebook/wav2vec2-base-960h",
    "MIT/ast-finetuned-audioset-10-10-0.4593",
    "google/vit-base-patch16-224-in21k",
}
"""Those that the hub has as safetensors."""
CONVERTED = {
    "./weights/clip-vit-base-patch16": "openai/clip-vit-base-patch16",
    "./weights/clip-vit-base-patch32": "openai/clip-vit-base-patch32",
    "./weights/convnext-base-224-22k": "facebook/convnext-base-224-22k",
    "./weights/ir50": "res50_ir_0.887.pth",
    "./weights/vggish": "vggish-10086976.pth vggish_pca_params-970ea276.pth",
}
FILES = (
    *("config.json", "preprocessor_config.json", "special_tokens_map.json", "merges.txt", "tokenizer.json"),
    *("tokenizer_config.json", "vocab.json"),
    *("model.safetensors", "model.safetensors.index.json", "model-*.safetensors"),
)


class Asked(Exception):
    """What the hub is asked for."""


def encoders_of(name: str, variant: str) -> set[str]:
    config = config_of(name, variant)
    found = {config[stream].encoder for stream in config.streams}
    return found | ({config.text.encoder} if config.text.prompts != "none" else set())


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that has everything, and tells what it is asked for."""

    def refuse(name, revision, allow_patterns):
        raise Asked(name, revision, sorted(allow_patterns))

    info = SimpleNamespace(siblings=[SimpleNamespace(rfilename="model.safetensors")])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: None)
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)


@pytest.mark.parametrize(("name", "variant"), REAL)
def test_it_asks_for_the_files_of_each_encoder_and_no_others(name: str, variant: str, hub):
    for encoder in encoders_of(name, variant):
        if encoder in CONVERTED:
            with pytest.raises(UnusableWeights, match=re.escape(f"{encoder}: no such folder")):
                load(encoder)
        elif encoder not in SIGNALS:
            assert encoder in HUB
            with pytest.raises(Asked) as asked:
                load(encoder)
            assert asked.value.args == (encoder, "main", sorted(FILES))


@pytest.mark.parametrize(("name", "variant"), REAL)
def test_what_has_to_be_converted_stands_in_the_header(name: str, variant: str):
    header = (FOLDER / f"{name}.py").read_text().split('"""')[1]
    lines = {line for line in header.splitlines() if line.startswith("abaw convert ")}
    wanted = {e for e in encoders_of(name, variant) if e in CONVERTED}
    assert lines == {f"abaw convert {CONVERTED[e]} --out {e.removeprefix('./')}" for e in wanted}


@pytest.mark.parity
def test_a_converted_folder_is_what_a_config_names(tmp_path, monkeypatch):
    """The header's line, its pickle written by torch, then the encoder of the config."""
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "hub"
    source.mkdir()
    (source / "config.json").write_text(json.dumps(tiny_config("convnext")))
    state = {key: torch.tensor(value) for key, value in arrays_of("convnext").items()}
    torch.save(state, source / "pytorch_model.bin")
    folder = config_of("au_local_global", "real").brows.encoder
    convert([str(source)], tmp_path / folder)
    assert load(folder, region="brows").modality == "face"
