"""Encoders of published size, with random weights where the published ones are not on this machine.

Sizes are facts of the models' `config.json`; the time of a matrix product does not depend on what is in it.
"""

import importlib
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict
from safetensors.numpy import save_file

from abaw_jax.encoders.naming import TURNS, file_key, template_of


def _clip(width: int, layers: int, heads: int, patch: int, text: int, projection: int) -> dict[str, Any]:
    def tower(d: int, n: int, h: int) -> dict[str, Any]:
        return {
            "hidden_size": d,
            "num_hidden_layers": n,
            "num_attention_heads": h,
            "intermediate_size": 4 * d,
        }

    return {
        "model_type": "clip",
        "projection_dim": projection,
        "vision_config": tower(width, layers, heads) | {"patch_size": patch, "image_size": 224},
        "text_config": tower(text, 12, text // 64),
    }


def _whisper(width: int, layers: int, mels: int = 80) -> dict[str, Any]:
    return {
        "model_type": "whisper", "d_model": width, "encoder_layers": layers,
        "encoder_attention_heads": width // 64, "encoder_ffn_dim": 4 * width, "num_mel_bins": mels,
        "decoder_layers": 1, "decoder_attention_heads": width // 64, "decoder_ffn_dim": 4 * width,
    }  # fmt: skip


def _transformer(kind: str, width: int, layers: int, **more: Any) -> dict[str, Any]:
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": width // 64}
    return {"model_type": kind, "intermediate_size": 4 * width} | sizes | more


CONFIGS = {
    "openai/clip-vit-base-patch32": _clip(768, 12, 12, 32, 512, 512),
    "openai/clip-vit-base-patch16": _clip(768, 12, 12, 16, 512, 512),
    "openai/clip-vit-large-patch14": _clip(1024, 24, 16, 14, 768, 768),
    "openai/whisper-base": _whisper(512, 6),
    "openai/whisper-small": _whisper(768, 12),
    "openai/whisper-large-v3": _whisper(1280, 32, 128),
    "facebook/wav2vec2-base": _transformer("wav2vec2", 768, 12),
    "facebook/wav2vec2-large-lv60": _transformer(
        "wav2vec2", 1024, 24, feat_extract_norm="layer", conv_bias=True, do_stable_layer_norm=True
    ),
    "MIT/ast-finetuned-audioset-10-10-0.4593": _transformer("audio-spectrogram-transformer", 768, 12),
    "google/vit-base-patch16-224-in21k": _transformer("vit", 768, 12),
    "facebook/convnext-base-224": {"model_type": "convnext", "hidden_sizes": [128, 256, 512, 1024],
                                   "depths": [3, 3, 27, 3], "image_size": 224},
    "microsoft/resnet-50": {"model_type": "resnet"},
}  # fmt: skip
NETWORKS = {
    "clip": ("clip", "CLIP", lambda c: (_image(c.vision.image_size), _ids(c.text.max_position_embeddings))),
    "whisper": (
        "whisper",
        "WhisperEncoder",
        lambda c: (jnp.zeros((1, 2 * c.max_source_positions, c.num_mel_bins)),),
    ),
    "wav2vec2": ("wav2vec2", "Wav2Vec2", lambda c: (jnp.zeros((1, c.field)),)),
    "audio-spectrogram-transformer": (
        "ast",
        "AST",
        lambda c: (jnp.zeros((1, c.max_length, c.num_mel_bins)),),
    ),
    "convnext": ("convnext", "ConvNeXt", lambda c: (_image(224),)),
    "vit": ("vit", "ViT", lambda c: (_image(c.image_size),)),
    "resnet": ("resnet", "ResNet", lambda c: (_image(224),)),
}
"""model_type ▶ the file of its network, the class, and what goes in."""
PREFIX = {"whisper": "model.encoder."}
"""Where our part of a network stands in the published files."""


def _image(side: int) -> jax.Array:
    return jnp.zeros((1, side, side, 3))


def _ids(length: int) -> jax.Array:
    return jnp.zeros((1, length), jnp.int32)


def write_random(folder: Path, config: dict[str, Any], seed: int = 0) -> Path:
    """A folder in Hugging Face layout."""
    name, network, inputs = NETWORKS[config["model_type"]]
    backbone = importlib.import_module(f"abaw_jax.nn.backbones.{name}")
    sizes = backbone.Config.from_json(config)
    template = template_of(getattr(backbone, network)(sizes).init, *inputs(sizes))
    rng, tensors = np.random.default_rng(seed), {}
    for path, leaf in flatten_dict(template).items():
        scale = 1 / np.sqrt(max(1, np.prod(leaf.shape[:-1])))
        value = rng.standard_normal(leaf.shape, np.float32) * np.float32(scale)
        value = np.abs(value) + 1 if path[-1] == "var" else value
        if path[-1] == "kernel":
            value = value.transpose(np.argsort(TURNS[value.ndim]))  # back to the file's layout
        tensors[PREFIX.get(config["model_type"], "") + file_key(path)] = np.array(
            value, np.float32, order="C"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder
