"""Checkpoints of every kind of encoder with weights, as small as they get and written without torch."""

import functools
import importlib
import json
from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from safetensors.numpy import save_file

from abaw_jax.encoders.naming import TURNS, file_key, template_of

TRANSFORMER = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12}
STAGES = {"hidden_sizes": [8, 12], "depths": [1, 1]}
CONFIGS = {
    "clip": {
        "projection_dim": 6,
        "vision_config": TRANSFORMER | {"image_size": 32, "patch_size": 4},
        "text_config": TRANSFORMER | {"vocab_size": 20, "max_position_embeddings": 5},
    },
    "whisper": {"d_model": 8, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 9,
                "max_source_positions": 50},
    "wav2vec2": TRANSFORMER | {"conv_dim": [4] * 7, "num_conv_pos_embeddings": 6,
                               "num_conv_pos_embedding_groups": 2},
    "audio-spectrogram-transformer": TRANSFORMER | {"max_length": 46, "num_mel_bins": 36},
    "convnext": STAGES | {"image_size": 32},
    "convnextv2": STAGES | {"image_size": 32},
    "vit": TRANSFORMER | {"image_size": 32, "patch_size": 8},
    "resnet": STAGES | {"embedding_size": 6},
    "iresnet": {"layers": [1, 2], "widths": [6, 9], "stem": 6, "image_size": 16, "embedding_size": 7},
    "vggish": {"channels": [2, 3, 4, 5, 6, 7], "hidden_size": 9, "embedding_size": 8},
    "soundnet": {"widths": [2, 3, 4, 5, 6, 7, 8], "objects": 5, "scenes": 4},
}  # fmt: skip
NETWORKS = {
    "clip": ("clip", "CLIP", [(1, 32, 32, 3), jnp.zeros((1, 5), jnp.int32)]),
    "whisper": ("whisper", "WhisperEncoder", [(1, 100, 80)]),
    "wav2vec2": ("wav2vec2", "Wav2Vec2", [(1, 4000)]),
    "audio-spectrogram-transformer": ("ast", "AST", [(1, 46, 36)]),
    "convnext": ("convnext", "ConvNeXt", [(1, 32, 32, 3)]),
    "convnextv2": ("convnext", "ConvNeXt", [(1, 32, 32, 3)]),
    "vit": ("vit", "ViT", [(1, 32, 32, 3)]),
    "resnet": ("resnet", "ResNet", [(1, 32, 32, 3)]),
    "iresnet": ("iresnet", "IResNet", [(1, 16, 16, 3)]),
    "vggish": ("vggish", "VGGish", [(1, 96, 64)]),
    "soundnet": ("soundnet", "SoundNet", [(1, 220_500)]),
}
"""model_type ▶ file of the backbone, its class, and what goes in: a shape, or an array that is not float."""
Arrays = dict[str, np.ndarray]


def config_of(kind: str) -> dict:
    return {"model_type": kind} | CONFIGS[kind]


@functools.cache
def arrays_of(kind: str) -> Arrays:
    """Random weights under the names and in the layouts of a file."""
    name, network, inputs = NETWORKS[kind]
    backbone = importlib.import_module(f"abaw_jax.nn.backbones.{name}")
    module = getattr(backbone, network)(backbone.Config.from_json(config_of(kind)))
    inputs = [jnp.zeros(value) if isinstance(value, tuple) else value for value in inputs]
    rng, arrays = np.random.default_rng(0), {}
    for path, leaf in flatten_dict(template_of(module.init, *inputs)).items():
        value = 0.3 * rng.standard_normal(leaf.shape)
        if path[-1] == "var":
            value = 1 + np.abs(value)
        if path[-1] == "kernel" and value.ndim in TURNS:
            value = value.transpose(np.argsort(TURNS[value.ndim]))
        # safetensors writes the memory as it lies: a transposed view would be saved unturned
        arrays[file_key(path)] = np.array(value, np.float32, order="C")
    return arrays


@pytest.fixture
def tiny_checkpoint(tmp_path: Path) -> Callable[[str], Path]:
    """`tiny_checkpoint(kind)` writes a folder in Hugging Face layout; `change` may spoil its arrays."""

    def write(kind: str, change: Callable[[Arrays], Arrays] = lambda arrays: arrays) -> Path:
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config_of(kind)))
        save_file(change(dict(arrays_of(kind))), folder / "model.safetensors")
        return folder

    return write
