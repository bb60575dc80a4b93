"""The embedded encoder of faces and prompts, trained on synthetic faces and what can be said of them.

python -m abaw_jax.main --config=configs/tiny_clip.py
abaw export runs/tiny_clip --out runs/tiny_clip/encoder

Needs nothing but time, 71 minutes on two cores beside other work, after 48,000 faces are drawn.
"""

from ml_collections import ConfigDict

from abaw_jax.defaults import get_config as defaults


def get_config() -> ConfigDict:
    """Batches as large as contrast wants them; a moving average is what is kept."""
    config = defaults()
    config.task, config.model = "contrast", ConfigDict({"name": "tiny-clip"})
    config.lessons.people, config.lessons.held_back = 4000, 160
    config.train.batch_size, config.train.steps, config.train.eval_every = 192, 2500, 250
    config.optimizer.learning_rate, config.optimizer.warmup_steps = 1e-3, 100
    config.optimizer.weight_decay, config.optimizer.ema_decay = 0.1, 0.998
    return config
