"""One compiled step: gradient, update, moving average; what is not finite changes nothing."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding

from abaw_jax.tasks.task import Task
from abaw_jax.train.resident import Resident
from abaw_jax.train.state import State
from abaw_jax.types import Array, Batch

Shares = Callable[[Array], Any]
Step = Callable[[State, Batch, Array], tuple[State, dict[str, Array]]]


def make_step(
    task: Task, optimizer: optax.MultiSteps, seed: int, ema_decay: float, shares: Shares | None = None
) -> Step:
    """`step(state, batch, scale)`; `scale` multiplies the update, which is how plateaus lower the rate.

    `shares` does the same for single parameters, at a step.
    """

    def step(state: State, batch: Batch, scale: Array) -> tuple[State, dict[str, Array]]:
        rng = jax.random.fold_in(jax.random.key(seed), state.step)

        def measure(params: Any) -> tuple[Array, tuple[dict[str, Array], Any]]:
            loss, shown, kept = task.loss(state.learnt_from | {"params": params}, batch, rng)
            return loss, (shown, kept)

        (loss, (shown, kept)), grads = jax.value_and_grad(measure, has_aux=True)(state.params)
        norm = optax.global_norm(grads)
        is_finite = jnp.isfinite(loss) & jnp.isfinite(norm)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        if shares is not None:
            updates = jax.tree.map(jnp.multiply, updates, shares(state.step))
        params = optax.apply_updates(state.params, jax.tree.map(lambda u: scale * u, updates))
        ema = _averaged(state.ema, params, ema_decay, opt_state.mini_step == 0)
        old, new = (state.params, state.opt_state, state.ema, state.kept), (params, opt_state, ema, kept)
        params, opt_state, ema, kept = _where(is_finite, new, old)
        skipped = jnp.where(is_finite, 0, state.skipped + 1)
        shown = shown | {"loss": loss, "gradient_norm": norm, "skipped": skipped}
        return State(state.step + 1, params, opt_state, ema, skipped, kept), shown

    return step


def many_steps(step: Step, over_batch: NamedSharding, is_resident: bool) -> Callable[..., Any]:
    """What one call does: a batch's step, or as many steps as there are rows of windows to gather."""
    if not is_resident:

        def once(state: State, batch: Batch, scale: Array) -> tuple[State, dict[str, Array]]:
            state, shown = step(state, batch, scale)
            return state, jax.tree.map(lambda value: value[None], shown)

        return once

    def gathered(state: State, resident: Resident, windows: Array, scale: Array):
        def one(state: State, windows: Array) -> tuple[State, dict[str, Array]]:
            batch = jax.lax.with_sharding_constraint(resident.read(windows), over_batch)
            return step(state, batch, scale)

        return jax.lax.scan(one, state, windows)

    return gathered


def _averaged(ema: Any, params: Any, decay: float, is_updated: Array) -> Any:
    """Moved towards the parameters where an update was made, not where gradients were only gathered."""
    if ema is None:
        return None
    share = jnp.where(is_updated, 1 - decay, 0.0)
    return jax.tree.map(lambda old, new: old + share * (new - old), ema, params)


def _where(condition: Array, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
