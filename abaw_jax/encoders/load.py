"""One loader for every encoder: what a config names, opened, checked and built."""

import dataclasses
import importlib
from pathlib import Path

from abaw_jax.encoders.encoder import Encoder, Options
from abaw_jax.encoders.files import Checkpoint, UnusableWeights
from abaw_jax.encoders.hub import open_checkpoint

KINDS = {
    "clip": "clip",
    "whisper": "whisper",
    "wav2vec2": "wav2vec2",
    "audio-spectrogram-transformer": "ast",
    "convnext": "convnext",
    "convnextv2": "convnext",
    "vit": "vit",
    "resnet": "resnet",
    "iresnet": "iresnet",
    "vggish": "vggish",
    "soundnet": "soundnet",
}
"""`model_type` of a config.json ▶ the file here that builds it."""
SIGNALS = ("logmel", "mfcc", "colours")
"""Encoders without weights, by their own name."""
TINY = {"tiny-clip": "clip", "tiny-whisper": "whisper"}
"""Encoders whose weights come with the package ▶ their folder; trained on synthetic people alone."""
TINY_FOLDER = Path(__file__).parent / "tiny"


def load(source: str | Path, **options) -> Encoder:
    """An encoder by local folder, hub id (`owner/name`, `owner/name@revision`), signal or tiny name.

    Options are those of `Options`: view, region, chunk_s, hop_s, is_causal, dtype.
    """
    wanted = Options(**options)
    if str(source) in SIGNALS:
        return importlib.import_module(f"abaw_jax.encoders.{source}").build(wanted)
    checkpoint = open_named(source)
    kind = checkpoint.config.get("model_type")
    if kind not in KINDS:
        there = ", ".join(KINDS)
        raise UnusableWeights(
            f"{checkpoint.folder}/config.json: found model_type {kind!r}, expected one of: {there}"
        )
    encoder = importlib.import_module(f"abaw_jax.encoders.{KINDS[kind]}").build(checkpoint, wanted)
    return dataclasses.replace(encoder, identity=dict(encoder.identity) | {"compute": wanted.dtype})


def open_named(source: str | Path) -> Checkpoint:
    """The folder of a name, be it one of the package's own."""
    folder = TINY.get(str(source))
    return Checkpoint(TINY_FOLDER / folder, str(source)) if folder else open_checkpoint(source)
