"""From config to optimiser: schedule, decay where it belongs, clipping, accumulation."""

from collections.abc import Callable
from typing import Any

import jax
import optax
from ml_collections import ConfigDict

SCHEDULES: dict[str, Callable[[ConfigDict, int], optax.Schedule]] = {
    "constant": lambda c, steps: optax.constant_schedule(c.learning_rate),
    "cosine": lambda c, steps: optax.cosine_decay_schedule(c.learning_rate, max(1, steps), c.final_share),
    "linear": lambda c, steps: optax.linear_schedule(
        c.learning_rate, c.learning_rate * c.final_share, max(1, steps)
    ),
}


def make_schedule(config: ConfigDict, steps: int) -> optax.Schedule:
    """Learning rate by update, counted from 0; a warm-up is part of the steps."""
    if config.schedule not in SCHEDULES:
        raise ValueError(
            f"optimizer.schedule: found {config['schedule']!r}, expected one of: {', '.join(SCHEDULES)}"
        )
    warmup = min(config.warmup_steps, steps)
    after = SCHEDULES[config.schedule](config, steps - warmup)
    rise = optax.linear_schedule(0.0, config.learning_rate, max(1, warmup))
    return optax.join_schedules([rise, after], [warmup]) if warmup else after


def make_optimizer(config: ConfigDict, steps: int) -> optax.MultiSteps:
    """AdamW, clipped by the global norm; `accumulate` batches make one update."""
    schedule = make_schedule(config, -(-steps // config.accumulate))
    adam = optax.adamw(
        schedule, config.beta1, config.beta2, weight_decay=config.weight_decay, mask=is_decayed
    )
    clip = optax.clip_by_global_norm(config.clip_norm) if config.clip_norm else optax.identity()
    return optax.MultiSteps(optax.chain(clip, adam), config.accumulate)


def is_decayed(params: Any) -> Any:
    """Matrices are; norms, biases and single vectors are not."""
    return jax.tree.map(lambda leaf: leaf.ndim >= 2, params)
