"""The default config: every key once, with one comment. Configs and flags only override."""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def get_config() -> ConfigDict:
    """A fresh copy; its keys are the only ones there are."""
    config = ConfigDict()
    config.seed = 0  # everything random follows from it

    config.corpus = ConfigDict()
    config.corpus.root = placeholder(str)  # folder of the organisers' files; none: a synthetic corpus is made
    config.corpus.edition = placeholder(int)  # edition whose labels count; none: the newest found
    config.corpus.index_times = True  # read each frame's presentation time; False trusts the container's rate

    config.synthetic = ConfigDict()
    config.synthetic.size = "demo"  # tiny | demo | evidence
    config.synthetic.edition = 10  # whose folder layout the synthetic corpus is written in

    config.evaluation = ConfigDict()
    config.evaluation.fill = "linear"  # how rows without a prediction get one
    config.evaluation.smoothing = "none"  # none | box | gaussian | median
    config.evaluation.smoothing_s = 0.0  # width of the smoothing in seconds
    config.evaluation.resamples = 1000  # bootstrap resamples over tracks
    return config
