"""System A: attention and dilated fusion of faces and voices, one of eight expressions a row.

python -m abaw_jax.main --config=configs/expr_dilated_fusion.py
python -m abaw_jax.main --config=configs/expr_dilated_fusion.py:real --config.corpus.root=/path/to/Aff-Wild2

The first needs nothing; `:full` has the full size on the encoders that come along. With
`--config.synthetic.size=evidence` expect 0.539 (0.510 to 0.566) on validation. `:real` wants a GPU,
openai/whisper-base from the hub, and CLIP, which the hub has as a pickle, after

abaw convert openai/clip-vit-base-patch16 --out weights/clip-vit-base-patch16

The authors give no score that could be quoted.
"""

from ml_collections import ConfigDict

from abaw_jax.defaults import check_variant
from abaw_jax.defaults import get_config as defaults


def get_config(variant: str = "tiny") -> ConfigDict:
    """Sixteen maps of a face in four seconds, and their sound; all of it default, not from the paper."""
    check_variant(variant, "tiny", "full", "real")
    config = defaults()
    config.task = "expr"
    config.model = ConfigDict(
        {"name": "expr_dilated_fusion", "width": 32, "dropout": 0.3, "fusion": "dilated"}
    )
    config.model.update({"sound_taps": 7, "dilations": (2, 4, 8), "face_share": 0.5, "temperature": 0.5})
    config.video.view, config.video.sample_hz = "grid", 4.0
    config.video.reach, config.video.reach_s, config.video.reach_count = "spread", 4.0, 16
    config.audio.align, config.audio.reach, config.audio.reach_s = "native", "native", 4.0
    config.window.rows, config.window.targets = 1, "middle"
    config.window.stride, config.window.eval_stride, config.window.edge = 8, 8, "mask"
    config.train.batch_size = 32
    if variant != "tiny":
        config.model.width, config.model.dropout = 128, 0.5
        config.loss.expr.class_weights = "inverse"
        config.optimizer.learning_rate, config.optimizer.weight_decay = 1e-4, 1e-4
        config.optimizer.beta2, config.window.eval_stride = 0.999, 1
        config.train.steps, config.train.eval_every, config.train.patience = 70_000, 2333, 5  # thirty epochs
        config.evaluation.fill, config.evaluation.trusts_blind = "system_c", False
    if variant == "real":
        config.video.encoder, config.video.view = "./weights/clip-vit-base-patch16", "grid7"
        config.audio.encoder = "openai/whisper-base"
    return config
