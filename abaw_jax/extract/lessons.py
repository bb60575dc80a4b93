"""Synthetic faces and voices ready for the encoder that learns from them: sentences as tokens, sound as mel.

The encoder is named by `model.name`: a folder whose config.json says its shape, with a tokenizer where it
reads; weights need not be there yet.
"""

from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils
from ml_collections import ConfigDict

from abaw_jax.corpus.synthetic.lessons import SIZE, make_lessons
from abaw_jax.corpus.synthetic.lessons import Lessons as Plan
from abaw_jax.encoders import clip, whisper
from abaw_jax.encoders.files import Checkpoint
from abaw_jax.encoders.load import open_named
from abaw_jax.inputs.lessons import Lessons, check_learner
from abaw_jax.nn.backbones.clip import Config as ClipConfig
from abaw_jax.nn.backbones.whisper import Config as WhisperConfig
from abaw_jax.progress import OnProgress, silent

KINDS = {"contrast": "faces", "prosody": "voices"}
"""Task ▶ what it learns from."""


def open_lessons(config: ConfigDict, show: OnProgress = silent) -> tuple[Lessons, Lessons]:
    """Those to learn from and those held back; made by one process where they are not there."""
    checkpoint, wanted = open_named(config.model.name), config.lessons
    _check(checkpoint, config)
    home, plans = Path(config.store.root) / "lessons", {}
    for split, people in (("train", wanted.people), ("validation", wanted.held_back)):
        plans[split] = Plan(KINDS[config.task], people, wanted.looks, wanted.seconds, wanted.seed)
    if jax.process_index() == 0:
        for split, plan in plans.items():
            make_lessons(plan, split, home, show)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("lessons are there")
    arrays = [make_lessons(plan, split, home, show) for split, plan in plans.items()]
    if config.task == "prosody":
        mels = WhisperConfig.from_json(checkpoint.config).num_mel_bins
        return tuple(_with_mel(found, mels, show) for found in arrays)
    return tuple(_with_tokens(found, checkpoint) for found in arrays)


def _check(checkpoint: Checkpoint, config: ConfigDict) -> None:
    """Before anything is drawn, which takes long."""
    check_learner(config.task, checkpoint.config.get("model_type"))
    if config.task == "prosody":
        seconds = WhisperConfig.from_json(checkpoint.config).max_source_positions * whisper.STRIDE
        seconds /= whisper.SAMPLE_RATE_HZ
        if config.lessons.seconds != seconds:
            raise ValueError(
                f"lessons.seconds: found {config.lessons.seconds:g}, "
                f"expected {seconds:g}, which {checkpoint.name} hears at once"
            )
    elif (size := ClipConfig.from_json(checkpoint.config).vision.image_size) != SIZE:
        raise ValueError(f"model.name: found {checkpoint.name} for images of {size}, expected {SIZE}")


def _with_tokens(found: Mapping[str, np.ndarray], checkpoint: Checkpoint) -> Lessons:
    said, places = np.unique(np.asarray(found["text"]), return_inverse=True)
    tower = ClipConfig.from_json(checkpoint.config).text
    ids = clip.token_ids(checkpoint, tower, [text.decode() for text in said])
    return Lessons({**found, "text": ids[places.reshape(found["text"].shape)]})


def _with_mel(found: Mapping[str, np.ndarray], mels: int, show: OnProgress) -> Lessons:
    sounds, mel = found["sound"], []
    for number, sound in enumerate(sounds):
        mel.append(whisper.log_mel(sound / np.float32(32767), mels).astype(np.float16))
        show("mel", number + 1, len(sounds))
    return Lessons({"mel": np.stack(mel), "prosody": found["prosody"], "is_heard": found["is_heard"]})
