"""What a run is at a step: all that is saved, and nothing else."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from abaw_jax.types import Array


@flax.struct.dataclass
class State:
    """`step` counts batches taken; the random key of each is folded from the seed and it."""

    step: Array
    params: Any
    opt_state: Any
    ema: Any
    """Moving average of the parameters; None without one."""
    skipped: Array
    """Updates in a row that were left out because something was not finite."""

    @property
    def evaluated(self) -> Any:
        """The moving average where there is one, else the parameters."""
        return self.params if self.ema is None else self.ema


def fresh(params: Any, optimizer: optax.MultiSteps, has_ema: bool) -> State:
    """Before the first step."""
    zero = jnp.zeros((), jnp.int32)
    ema = jax.tree.map(jnp.copy, params) if has_ema else None
    return State(zero, params, optimizer.init(params), ema, zero)


def count(params: Any) -> int:
    """Numbers that are learnt; shapes will do."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
