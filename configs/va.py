"""Valence and arousal from CLIP faces and Whisper voices.

python -m abaw_jax.main --config=configs/va.py --config.corpus.root=/path/to/Aff-Wild2

Needs a corpus (`abaw synth` makes one) and two encoders, by hub id or as folders in Hugging Face layout.
"""

from ml_collections import ConfigDict

from abaw_jax.defaults import get_config as defaults


def get_config() -> ConfigDict:
    """Features as they are in the defaults."""
    config = defaults()
    config.task = "va"
    config.loss.va.over = "pooled"
    return config
