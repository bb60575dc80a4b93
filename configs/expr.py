"""One of eight expressions a row, from CLIP faces and Whisper voices.

python -m abaw_jax.main --config=configs/expr.py --config.corpus.root=/path/to/Aff-Wild2

Needs a corpus (`abaw synth` makes one) and two encoders, by hub id or as folders in Hugging Face layout.
"""

from ml_collections import ConfigDict

from abaw_jax.defaults import get_config as defaults


def get_config() -> ConfigDict:
    """Rare expressions count for more."""
    config = defaults()
    config.task = "expr"
    config.loss.expr.class_weights = "sqrt_inverse"
    config.loss.expr.label_smoothing = 0.05
    return config
