"""Tiny encoders on disk, in Hugging Face layout and without torch, and the config that names them."""

import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from safetensors.numpy import save_file

from abaw_jax.defaults import get_config
from abaw_jax.encoders.naming import TURNS, file_key, template_of
from abaw_jax.nn.backbones import clip, whisper

TOWER = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
CLIP = {
    "model_type": "clip",
    "projection_dim": 12,
    "vision_config": TOWER | {"image_size": 24, "patch_size": 8},
    "text_config": TOWER | {"vocab_size": 40, "max_position_embeddings": 6},
}
WHISPER = {
    "model_type": "whisper", "d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2,
    "encoder_ffn_dim": 24, "num_mel_bins": 80, "max_source_positions": 100,
}  # fmt: skip


def write_checkpoint(folder: Path, config: dict[str, Any], template, seed: int = 0) -> Path:
    """Random weights under the names and in the layout of the reference."""
    rng, tensors = np.random.default_rng(seed), {}
    for path, leaf in flatten_dict(template).items():
        value = (rng.standard_normal(leaf.shape) * 0.3).astype(np.float32)
        if path[-1] == "kernel":  # back to the file's layout
            value = value.transpose(np.argsort(TURNS[value.ndim]))
        tensors[file_key(path)] = np.array(value + (path[-1] == "scale"), np.float32, order="C")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors")
    return folder


def write_clip(folder: Path, seed: int = 0) -> Path:
    images, ids = jnp.zeros((1, 24, 24, 3)), jnp.zeros((1, 6), jnp.int32)
    template = template_of(clip.CLIP(clip.Config.from_json(CLIP)).init, images, ids)
    return write_checkpoint(folder, CLIP, template, seed)


def write_whisper(folder: Path, seed: int = 0) -> Path:
    module = whisper.WhisperEncoder(whisper.Config.from_json(WHISPER))
    return write_checkpoint(folder, WHISPER, template_of(module.init, jnp.zeros((1, 200, 80))), seed)


@pytest.fixture(scope="session")
def encoders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("encoders")
    return {
        "clip": write_clip(root / "clip"),
        "other-clip": write_clip(root / "clip-2" / "clip", seed=1),
        "whisper": write_whisper(root / "whisper"),
    }


@pytest.fixture
def config(encoders: dict[str, Path], tmp_path: Path):
    """The defaults, with tiny encoders and a store of the test's own."""
    config = get_config()
    config.video.encoder = str(encoders["clip"])
    config.audio.encoder = str(encoders["whisper"])
    config.store.root = str(tmp_path / "features")
    config.extract.batch_size = 16
    return config
