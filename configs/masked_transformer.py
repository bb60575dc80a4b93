"""System E: a transformer over a hundred faces, some hidden while it learns; VA, expressions or units.

python -m abaw_jax.main --config=configs/masked_transformer.py:va
python -m abaw_jax.main --config=configs/masked_transformer.py:expr
python -m abaw_jax.main --config=configs/masked_transformer.py:au
python -m abaw_jax.main --config=configs/masked_transformer.py:va_real --config.corpus.root=/path/to/Aff-Wild2

The first three need nothing; with `--config.synthetic.size=evidence` expect 0.592, 0.447 and 0.661 on
validation. `:va_full`, `:expr_full`, `:au_full` have the published size on the encoder that comes along;
`:va_real`, `:expr_real`, `:au_real` want a GPU and google/vit-base-patch16-224-in21k from the hub.
`--config.model.mask_mode=element` hides single numbers; `--config.model.head=rows` and
`--config.window.targets=all` have every row predict itself, as they do for expressions.
"""

from ml_collections import ConfigDict

from abaw_jax.defaults import check_variant
from abaw_jax.defaults import get_config as defaults

VALID_ROWS = {"va": 1_679_857, "expr": 597_361, "au": 1_359_523}
"""Of Aff-Wild2's training splits: as many windows as the authors' epochs, who leave other rows out."""


def get_config(variant: str = "va") -> ConfigDict:
    """The authors give no score."""
    check_variant(variant, *(f"{task}{size}" for size in ("", "_full", "_real") for task in VALID_ROWS))
    task, _, size = variant.partition("_")
    config = defaults()
    config.streams, config.task = ("video",), task
    config.loss.va.over = "pooled"
    config.loss.expr.class_weights, config.loss.expr.focal_gamma = "complement", 2.0
    config.loss.au.class_weights, config.loss.au.focal_gamma = "complement", 2.0
    config.model = ConfigDict({"name": "masked_transformer", "head": "flat", "mask_mode": "frame"})
    config.model.update({"layers": 2, "heads": 4, "hidden": 256, "head_width": 64})
    config.model.update({"dropout": 0.2, "mask_rate": 0.5})
    config.window.rows, config.window.targets, config.window.edge = 100, "last", "clamp"
    config.window.stride, config.window.eval_stride = 5, 10
    if task == "expr":  # each row predicts itself, and rows are the mean of what all windows say
        config.model.head, config.window.targets, config.window.edge = "rows", "all", "shift"
        config.window.stride, config.window.eval_stride = 25, 50
    config.train.batch_size = 32
    if size:
        config.model.update({"layers": 6, "heads": 8, "hidden": 2048, "head_width": 1024, "dropout": 0.5})
        config.window.stride, config.window.eval_stride = 1, 1
        config.optimizer.learning_rate = 5e-5 if task == "au" else 1e-4
        config.optimizer.schedule, config.optimizer.warmup_steps = "constant", 0
        config.optimizer.weight_decay, config.optimizer.clip_norm = 0.0, 0.0
        config.optimizer.beta2 = 0.999  # torch's
        config.train.batch_size = 512 if task == "expr" else 268
        epoch = VALID_ROWS[task] // config.train.batch_size
        config.train.steps, config.train.eval_every, config.train.patience = 200 * epoch, epoch, 3
        config.evaluation.fill, config.evaluation.trusts_blind = "system_e", False
        config.train.standardize = False
    if size == "real":
        config.video.encoder = "google/vit-base-patch16-224-in21k"
    return config
