"""From config to optimiser: schedule, decay where it belongs, clipping, accumulation."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import optax
from ml_collections import ConfigDict

from abaw_jax.problems import one_of

SCHEDULES: dict[str, Callable[[ConfigDict, int], optax.Schedule]] = {
    "constant": lambda c, steps: optax.constant_schedule(c.learning_rate),
    "cosine": lambda c, steps: optax.cosine_decay_schedule(c.learning_rate, max(1, steps), c.final_share),
    "linear": lambda c, steps: optax.linear_schedule(
        c.learning_rate, c.learning_rate * c.final_share, max(1, steps)
    ),
}


def make_schedule(config: ConfigDict, steps: int) -> optax.Schedule:
    """Learning rate by update, counted from 0; a warm-up is part of the steps."""
    warmup = min(config.warmup_steps, steps)
    after = SCHEDULES[one_of("optimizer.schedule", config.schedule, SCHEDULES)](config, steps - warmup)
    rise = optax.linear_schedule(0.0, config.learning_rate, max(1, warmup))
    return optax.join_schedules([rise, after], [warmup]) if warmup else after


def make_optimizer(config: ConfigDict, steps: int) -> optax.MultiSteps:
    """AdamW, clipped by value and by the global norm; `accumulate` batches make one update."""
    schedule = make_schedule(config, -(-steps // config.accumulate))
    adam = optax.adamw(
        schedule, config.beta1, config.beta2, weight_decay=config.weight_decay, mask=is_decayed
    )
    clips = [optax.clip(config.clip_value)] if config.clip_value else []
    clips += [optax.clip_by_global_norm(config.clip_norm)] if config.clip_norm else []
    return optax.MultiSteps(optax.chain(*(clips or [optax.identity()]), adam), config.accumulate)


def make_shares(config: ConfigDict, params: Any) -> Callable[[Any], Any] | None:
    """Of every parameter, at a step, which share of the rate it gets; None where all get all of it.

    `rates` are (pattern, share): the first pattern found in a name decides, and a share of 0 freezes.
    `release` are (pattern, step): frozen before that step. A pattern that finds nothing is an error.
    """
    tables = {"rates": tuple(config.rates), "release": tuple(config.release)}
    if not any(tables.values()):
        return None
    names = [
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, _ in jax.tree_util.tree_leaves_with_path(params)
    ]
    for key, table in tables.items():
        for pattern, _ in table:
            if not any(re.search(pattern, name) for name in names):
                raise ValueError(
                    f"optimizer.{key}: no parameter's name has {pattern!r}; they are: {', '.join(names)}"
                )
    rates = [_first(tables["rates"], name, 1.0) for name in names]
    steps = [_first(tables["release"], name, 0) for name in names]

    def shares(step: Any) -> Any:
        found = [rate * (step >= first) for rate, first in zip(rates, steps, strict=True)]
        return jax.tree.unflatten(jax.tree.structure(params), found)

    return shares


def _first(table: Sequence[tuple[str, float]], name: str, otherwise: float) -> float:
    return next((value for pattern, value in table if re.search(pattern, name)), otherwise)


def is_decayed(params: Any) -> Any:
    """Matrices and tables are; single vectors, and the scale and bias of a norm of any shape, are not."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf.ndim >= 2 and path[-1].key not in ("scale", "bias"), params
    )
