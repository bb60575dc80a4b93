"""Valence and arousal, expressions and action units at once, from faces and voices.

python -m abaw_jax.main --config=configs/mtl.py
python -m abaw_jax.main --config=configs/mtl.py:real --config.corpus.root=/path/to/Aff-Wild2

The first needs nothing: it makes a corpus and takes the encoders that come along. With
`--config.synthetic.size=evidence` expect 2.069 (2.008 to 2.124) on validation. The second wants the
encoders named in `abaw_jax.defaults.at_full_size`, from the hub or as folders, and a GPU.
`:mixed` learns from the training splits of the three single challenges, a third of each batch from each.
"""

from ml_collections import ConfigDict

from abaw_jax.defaults import get_config as defaults
from abaw_jax.defaults import in_size


def get_config(variant: str = "tiny") -> ConfigDict:
    """`tiny` and `real` learn from the split of the MTL challenge."""
    config = defaults()
    config.task = "mtl"
    config.loss.expr.class_weights = "sqrt_inverse"
    config.loss.au.soft_f1 = 0.5
    if variant == "mixed":
        config.train.batch_size = 18
        config.train.mix = (("va", 6), ("expr", 6), ("au", 6))
    return in_size(config, variant, "mixed")
