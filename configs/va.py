"""Valence and arousal from faces and voices.

python -m abaw_jax.main --config=configs/va.py
python -m abaw_jax.main --config=configs/va.py:real --config.corpus.root=/path/to/Aff-Wild2

The first needs nothing: it makes a corpus and takes the encoders that come along. With
`--config.synthetic.size=evidence` expect 0.734 (0.711 to 0.756) on validation. The second wants the
encoders named in `abaw_jax.defaults.at_full_size`, from the hub or as folders, and a GPU.
"""

from ml_collections import ConfigDict

from abaw_jax.defaults import get_config as defaults
from abaw_jax.defaults import in_size


def get_config(variant: str = "tiny") -> ConfigDict:
    """CCC over all rows of a batch, as the score is over all rows."""
    config = defaults()
    config.task = "va"
    config.loss.va.over = "pooled"
    return in_size(config, variant)
