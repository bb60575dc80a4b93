"""Folders that say the shape of an encoder which has learnt nothing yet, as small as they get."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from abaw_jax.encoders.tokens import write_tokenizer

TOWER = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
WHISPER = {
    "architectures": ["WhisperModel"], "model_type": "whisper", "d_model": 16,
    "encoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_layers": 0, "decoder_attention_heads": 2,
    "num_mel_bins": 80, "max_source_positions": 50,
}  # fmt: skip
HALVES = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3}


def write_clip_shape(
    folder: Path, sentences: list[str], image: int = 16, patch: int = 8, length: int = 16, layers: int = 2
) -> Path:
    """The folder; its tokenizer knows the sentences."""
    tower = TOWER | {"num_hidden_layers": layers}
    folder.mkdir(parents=True, exist_ok=True)
    size = write_tokenizer(folder, sentences, length)
    ends = {"bos_token_id": size - 2, "eos_token_id": size - 1, "pad_token_id": size - 1}
    config = {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": 12,
        "vision_config": tower | {"image_size": image, "patch_size": patch},
        "text_config": tower | ends | {"vocab_size": size, "max_position_embeddings": length},
    }
    (folder / "config.json").write_text(json.dumps(config))
    square = {"size": {"shortest_edge": image}, "crop_size": {"height": image, "width": image}}
    (folder / "preprocessor_config.json").write_text(json.dumps(square | HALVES))
    return folder


def write_whisper_shape(folder: Path, layers: int = 2) -> Path:
    """The folder; it hears a second at once."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(WHISPER | {"encoder_layers": layers}))
    return folder


def drawn(init, *given):
    """Variables that `init` might make: random, with no zero bias and no unit scale, and nothing compiled."""
    rng = np.random.default_rng(0)

    def draw(path, leaf) -> jax.Array:
        centre = {"scale": 1.0, "logit_scale": 2.6592}.get(path[-1].key, 0.0)
        spread = 0.1 if leaf.ndim < 2 else np.prod(leaf.shape[:-1]) ** -0.5
        return jnp.asarray(centre + spread * rng.standard_normal(leaf.shape), leaf.dtype)

    return jax.tree_util.tree_map_with_path(draw, jax.eval_shape(init, jax.random.key(0), *given))
