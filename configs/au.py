"""Twelve action units a row, from faces and voices.

python -m abaw_jax.main --config=configs/au.py
python -m abaw_jax.main --config=configs/au.py:real --config.corpus.root=/path/to/Aff-Wild2

The first needs nothing: it makes a corpus and takes the encoders that come along. With
`--config.synthetic.size=evidence` expect 0.758 (0.735 to 0.779) on validation. The second wants the
encoders named in `abaw_jax.defaults.at_full_size`, from the hub or as folders, and a GPU.
"""

from ml_collections import ConfigDict

from abaw_jax.defaults import get_config as defaults
from abaw_jax.defaults import in_size


def get_config(variant: str = "tiny") -> ConfigDict:
    """Cross entropy leads to probabilities, soft F1 to the score."""
    config = defaults()
    config.task = "au"
    config.loss.au.soft_f1 = 0.5
    return in_size(config, variant)
