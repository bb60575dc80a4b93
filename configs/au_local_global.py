"""System J: a face and three parts of it, sound around each row and of the window; twelve action units a row.

python -m abaw_jax.main --config=configs/au_local_global.py
python -m abaw_jax.main --config=configs/au_local_global.py:real --config.corpus.root=/path/to/Aff-Wild2

The first needs nothing; `:full` has the full size on the encoders that come along. With
`--config.synthetic.size=evidence` expect 0.735 (0.714 to 0.755) on validation. `:real` wants a GPU,
openai/whisper-base from the hub, and ConvNeXt, which the hub has as a pickle, after

abaw convert facebook/convnext-base-224-22k --out weights/convnext-base-224-22k

Six folds: `--config.fold=0` to `5`, each with its own `--workdir`.
"""

from ml_collections import ConfigDict

from abaw_jax.defaults import check_variant, face_stream
from abaw_jax.defaults import get_config as defaults

PARTS = ("brows", "middle", "mouth")
WEIGHTS = (5.2782, 12.4268, 3.9182, 2.3714, 1.5735, 1.8198, 2.5866, 22.6602, 20.1212, 22.1050, 1.0, 8.2648)
"""Of AU1 to AU26, from the code that the authors build on (AUD-TGN)."""


def get_config(variant: str = "tiny") -> ConfigDict:
    """Published: "mid-50s" over six folds, as a summary says; a checkpoint of one fold is named 0.5281."""
    check_variant(variant, "tiny", "full", "real")
    config = defaults()
    config.task, config.loss.au.weights = "au", WEIGHTS
    for part in PARTS:
        config[part] = face_stream(config.video.encoder)
        config[part].region = part
    config.streams = ("video", *PARTS, "audio")
    config.model = ConfigDict({"name": "au_local_global", "width": 48, "layers": 1, "dropout": 0.2})
    config.model.update({"temporal_widths": (64, 64, 32, 32, 32), "taps": 5, "head_width": 64})
    config.model.update({"sounds": ("audio",), "heads": 4})
    config.model.update({"scales": (8, 32, 0), "ramp": 8.0, "expansion": 2})  # default, not from the paper
    config.window.rows, config.window.stride, config.window.eval_stride = 100, 50, 100
    if variant != "tiny":
        config.model.update({"width": 256, "layers": 2})
        config.model.temporal_widths = (256, 256, 128, 128, 128)
        config.window.rows, config.window.stride, config.window.eval_stride = 200, 200, 200
        config.optimizer.learning_rate, config.optimizer.weight_decay = 1e-4, 1e-5
        config.optimizer.schedule, config.optimizer.warmup_steps = "constant", 1500
        config.optimizer.plateau_patience = 5  # torch's 4 cuts at the fifth
        config.optimizer.plateau_factor = 0.2
        config.optimizer.plateau_least, config.optimizer.beta2 = 1e-4, 0.999
        config.window.overlap = "first"  # the last window, shifted back, fills what is left
        config.optimizer.clip_norm, config.optimizer.clip_value = 0.0, 0.5
        config.train.batch_size, config.train.steps, config.train.eval_every = 4, 170_000, 1700
        config.train.patience = 50
    if variant == "real":
        for stream in ("video", *PARTS):
            config[stream].encoder = "./weights/convnext-base-224-22k"
        config.audio.encoder = "openai/whisper-base"
    return config
