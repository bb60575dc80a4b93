"""From config to task: model, losses, words and augmentation; what cannot be is refused by its key."""

import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from abaw_jax import losses
from abaw_jax.labels import PARTS, WIDTHS
from abaw_jax.models.registry import make_model
from abaw_jax.problems import one_of
from abaw_jax.prompts import PROMPTS
from abaw_jax.store.spec import Grid
from abaw_jax.tasks.augment import Augment
from abaw_jax.tasks.frames import FrameTask, Stats
from abaw_jax.tasks.words import POSITIVES, Words
from abaw_jax.train.data import quotas
from abaw_jax.train.engine import compute_dtype, make_mesh
from abaw_jax.train.finishing import check_evaluation
from abaw_jax.train.optim import make_schedule
from abaw_jax.train.windows import window_spec


def check(config: ConfigDict) -> None:
    """What needs no features to be known as wrong, before minutes are spent on them."""
    check_evaluation(config.evaluation, parts_of(config))
    _check_losses(config.loss)
    quotas(config)
    make_mesh(config)
    if config.corpus.packaged is None:  # a package has its own clocks
        window_spec(config, {name: _grid_of(config[name]) for name in config.streams})
    one_of("text.positives", config.text.positives, POSITIVES)
    has_words(config)
    make_augment(config)
    make_schedule(config.optimizer, config.train.steps)
    model_of(config)


def _grid_of(stream: ConfigDict) -> Grid:
    """As its features will have it, the rate aside."""
    is_native = stream.modality == "audio" and stream.align == "native"
    return Grid("native", rate_hz=1.0) if is_native else Grid()


def _check_losses(loss: ConfigDict) -> None:
    one_of("loss.va.over", loss.va.over, losses.GROUPINGS)
    one_of("loss.expr.class_weights", loss.expr.class_weights, losses.RULES)
    one_of("loss.au.class_weights", loss.au.class_weights, losses.RULES)
    one_of("loss.au.positive_weights", loss.au.positive_weights, losses.POWERS)
    if (found := len(loss.au.weights)) not in (0, WIDTHS["au"]):
        raise ValueError(f"loss.au.weights: found {found} numbers, expected {WIDTHS['au']} or none")


def parts_of(config: ConfigDict) -> tuple[str, ...]:
    """What a config's task predicts."""
    return PARTS[one_of("task", config.task, PARTS)]


def make_task(config: ConfigDict, stats: Stats) -> FrameTask:
    """The task of a config with its model."""
    parts = parts_of(config)
    settings = {part: dict(config.loss[part]) for part in parts}
    shares, words = {part: config.loss.shares[part] for part in parts}, make_words(config, stats)
    return FrameTask(config.task, model_of(config), settings, shares, stats, words, make_augment(config))


def model_of(config: ConfigDict) -> nn.Module:
    """Of the name in a config, with its other keys as fields."""
    settings = dict(config.model)
    name = settings.pop("name")
    given = {"streams": tuple(config.streams), "tasks": parts_of(config), "dtype": compute_dtype(config)}
    return make_model(name, settings, **given)


def has_words(config: ConfigDict) -> bool:
    """Whether faces are held against prompts: some are named, have a share, and a face comes first.

    Sound alone is not: prompts say what is seen.
    """
    text, first = config.text, config.streams[0]
    is_named = one_of("text.prompts", text.prompts, ("none", *PROMPTS)) != "none"
    if not (is_named and text.share and config[first].modality == "face"):
        return False
    if text.encoder != config[first].encoder:
        wanted = f"{config[first].encoder} as of {first}: one space has both"
        raise ValueError(f"text.encoder: found {text.encoder}, expected {wanted}")
    return True


def make_words(config: ConfigDict, stats: Stats) -> Words | None:
    """What faces are held against, if anything."""
    if not has_words(config):
        return None
    text, vectors = config.text, np.array(stats.words, np.float32)
    return Words(text.prompts, vectors, text.share, text.scale, text.positives, config.streams[0])


def make_augment(config: ConfigDict) -> Augment:
    """What is done to training batches; what a window's shape does not allow is refused."""
    streams, ranges = tuple(config.streams), {"warp": 1.0, "modality_dropout": 1.0}
    for name, value in config.augment.items():
        if not 0 <= value <= ranges.get(name, np.inf):
            most = f" to {ranges[name]:g}" if name in ranges else " or more"
            raise ValueError(f"augment.{name}: found {value:g}, expected 0{most}")
    if config.augment.warp and config.window.targets == "middle":
        raise ValueError("augment.warp: moves the middle of a window, which window.targets says is predicted")
    sounds = tuple(name for name in streams if config[name].modality == "audio")
    return Augment(streams, sounds, **config.augment)
