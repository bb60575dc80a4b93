"""System B: temporal networks of three widths a modality, which meet row by row; valence and arousal.

python -m abaw_jax.main --config=configs/va_interactive.py
python -m abaw_jax.main --config=configs/va_interactive.py:real --config.corpus.root=/path/to/Aff-Wild2

The first needs nothing; `:full` has the published size on the encoders that come along. With
`--config.synthetic.size=evidence` expect 0.736 (0.711 to 0.761) on validation. `:real` wants a GPU
and two sets of weights that are published as pickles, an ArcFace IR-50 and VGGish:

abaw convert res50_ir_0.887.pth --out weights/ir50
abaw convert vggish-10086976.pth vggish_pca_params-970ea276.pth --out weights/vggish

`:full` and `:real` have a third stream, MFCC; with 64 bands of log-mel in its place:
`--config.streams="('video', 'audio', 'logmel')"`. Six folds: the same command with `--config.fold=0` to `5`,
each with its own `--workdir`; then one prediction of all, `--mode=predict --checkpoint=… --checkpoint=…`,
joined as published by `evaluation.ensemble=ccc_centred`.
"""

from ml_collections import ConfigDict

from abaw_jax.defaults import audio_stream, check_variant
from abaw_jax.defaults import get_config as defaults


def get_config(variant: str = "tiny") -> ConfigDict:
    """The last window of a track is shifted to its end. Published: first at the 8th ABAW, no score given."""
    check_variant(variant, "tiny", "full", "real")
    config = defaults()
    config.task, config.loss.va.over = "va", "window"
    config.model = ConfigDict({"name": "va_interactive", "fusion": "interaction", "dropout": 0.1})
    config.model.update({"width": 32, "side_width": 32, "shared_width": 32, "head_width": 64})
    config.model.update({"taps": (3, 5, 7), "levels": 4, "gate_width": 256, "gate_heads": 4})
    config.window.rows, config.window.stride, config.window.eval_stride = 150, 50, 100
    if variant != "tiny":
        config.streams = ("video", "audio", "mfcc")
        config.mfcc, config.logmel = audio_stream("mfcc"), audio_stream("logmel")
        config.mfcc.window_s = config.logmel.window_s = 0.04  # a row's own: over more, differences cancel
        config.model.update({"width": 128, "side_width": 64, "shared_width": 64, "head_width": 128})
        config.window.rows, config.window.stride, config.window.eval_stride = 300, 200, 200
        config.optimizer.learning_rate, config.optimizer.weight_decay = 1e-5, 1e-3
        config.optimizer.schedule, config.optimizer.warmup_steps = "constant", 0
        config.optimizer.plateau_patience = 6  # torch's 5 cuts at the sixth
        config.optimizer.plateau_factor = 0.1
        config.optimizer.plateau_least, config.optimizer.clip_norm, config.optimizer.beta2 = 0.1, 0.0, 0.999
        config.evaluation.ensemble = "ccc_centred"
        config.train.steps, config.train.eval_every, config.train.patience = 52_500, 525, 20
    if variant == "real":
        config.video.encoder = "./weights/ir50"
        config.audio.encoder, config.audio.align, config.audio.view = "./weights/vggish", "chunk", "embedding"
    return config
