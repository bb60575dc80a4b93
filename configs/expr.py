"""One of eight expressions a row, from faces and voices.

python -m abaw_jax.main --config=configs/expr.py
python -m abaw_jax.main --config=configs/expr.py:real --config.corpus.root=/path/to/Aff-Wild2

The first needs nothing: it makes a corpus and takes the encoders that come along. With
`--config.synthetic.size=evidence` expect 0.606 (0.580 to 0.629) on validation. The second wants the
encoders named in `abaw_jax.defaults.at_full_size`, from the hub or as folders, and a GPU.
"""

from ml_collections import ConfigDict

from abaw_jax.defaults import get_config as defaults
from abaw_jax.defaults import in_size


def get_config(variant: str = "tiny") -> ConfigDict:
    """Rare expressions weigh more."""
    config = defaults()
    config.task = "expr"
    config.loss.expr.class_weights = "sqrt_inverse"
    config.loss.expr.label_smoothing = 0.05
    return in_size(config, variant)
