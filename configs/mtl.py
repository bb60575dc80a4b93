"""Valence and arousal, expressions and action units at once, from CLIP faces and Whisper voices.

python -m abaw_jax.main --config=configs/mtl.py --config.corpus.root=/path/to/Aff-Wild2

Needs a corpus (`abaw synth` makes one) and two encoders, by hub id or as folders in Hugging Face layout.
`:mixed` learns from the training splits of the three single challenges, a third of each batch from each.
"""

from ml_collections import ConfigDict

from abaw_jax.defaults import get_config as defaults


def get_config(variant: str = "own") -> ConfigDict:
    """`own`: the split of the MTL challenge."""
    config = defaults()
    config.task = "mtl"
    config.loss.expr.class_weights = "sqrt_inverse"
    config.loss.au.soft_f1 = 0.5
    if variant == "mixed":
        config.train.batch_size = 18
        config.train.mix = (("va", 6), ("expr", 6), ("au", 6))
    elif variant != "own":
        raise ValueError(f"found the variant {variant!r}, expected own or mixed")
    return config
