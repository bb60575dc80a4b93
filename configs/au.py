"""Twelve action units a row, from CLIP faces and Whisper voices.

python -m abaw_jax.main --config=configs/au.py --config.corpus.root=/path/to/Aff-Wild2

Needs a corpus (`abaw synth` makes one) and two encoders, by hub id or as folders in Hugging Face layout.
"""

from ml_collections import ConfigDict

from abaw_jax.defaults import get_config as defaults


def get_config() -> ConfigDict:
    """Cross entropy leads to probabilities, soft F1 to the score."""
    config = defaults()
    config.task = "au"
    config.loss.au.soft_f1 = 0.5
    return config
