"""The embedded encoder of voices, trained on synthetic ones: how they speak, and what is heard of the mouth.

python -m abaw_jax.main --config=configs/tiny_whisper.py
abaw export runs/tiny_whisper --out runs/tiny_whisper/encoder

Needs nothing but time, 47 minutes on two cores beside other work, after 1,200 voices of ten seconds are made.
"""

from ml_collections import ConfigDict

from abaw_jax.defaults import get_config as defaults


def get_config() -> ConfigDict:
    """Whole chunks as the encoder hears them; a moving average is what is kept."""
    config = defaults()
    config.task, config.model = "prosody", ConfigDict({"name": "tiny-whisper"})
    config.lessons.people, config.lessons.held_back, config.lessons.seconds = 1200, 60, 10.0
    config.train.batch_size, config.train.steps, config.train.eval_every = 16, 1500, 150
    config.optimizer.learning_rate, config.optimizer.warmup_steps = 1e-3, 100
    config.optimizer.weight_decay, config.optimizer.ema_decay = 0.1, 0.998
    return config
