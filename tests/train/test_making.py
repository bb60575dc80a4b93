"""What a config cannot be is said by its key, before there is anything to train on."""

import pytest

from abaw_jax.defaults import get_config
from abaw_jax.train.making import check


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("task", "pain", "task: found 'pain', expected one of: va, expr, au, mtl"),
        ("model.name", "lstm", "model.name: found 'lstm', expected one of: temporal_fusion"),
        ("model.depth", 3, "model.depth: temporal_fusion knows no such setting; it has width, layers"),
        ("model.dtype", "float16", "model.dtype: temporal_fusion knows no such setting"),
        ("train.dtype", "float16", "train.dtype: found 'float16', expected one of: float32, bfloat16"),
        ("optimizer.schedule", "step", "optimizer.schedule: found 'step', expected one of: constant"),
        ("loss.va.over", "track", "loss.va.over: found 'track', expected one of: window, batch, pooled"),
        ("loss.expr.class_weights", "sqrt", "loss.expr.class_weights: found 'sqrt', expected one of: none"),
        ("loss.au.class_weights", "sqrt", "loss.au.class_weights: found 'sqrt', expected one of: none"),
        ("loss.au.positive_weights", "log", "loss.au.positive_weights: found 'log', expected one of: none"),
        ("loss.au.weights", (1.0, 2.0), "loss.au.weights: found 2 numbers, expected 12 or none"),
        ("text.prompts", "moods", "text.prompts: found 'moods', expected one of: none, expressions, states"),
        ("text.positives", "all", "text.positives: found 'all', expected one of: same, own"),
        ("window.edge", "wrap", "window.edge: found 'wrap', expected one of: mask, clamp, shift, skip"),
        ("audio.reach", "native", "audio.reach: found 'native' of a stream of one vector a row"),
        ("train.mix", (("va", 3),), "train.mix: found 3 windows, expected train.batch_size=16"),
        ("train.batch_size", 0, "train.batch_size: found 0, expected a multiple of"),
        ("augment.warp", 1.5, "augment.warp: found 1.5, expected 0 to 1"),
        ("evaluation.fill", "linar", "evaluation.fill: found 'linar', expected one of: previous"),
    ],
)
def test_what_cannot_be_is_named_with_what_can(key: str, value, message: str):
    config = get_config().unlock()
    *rooms, last = key.split(".")
    place = config
    for room in rooms:
        place = place[room]
    place[last] = value
    with pytest.raises(ValueError, match=message):
        check(config)


def test_what_can_be_passes():
    check(get_config())
