"""What a run is at a step: all that is saved, and nothing else."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from abaw_jax.tasks.task import Variables
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
    kept: Any = None
    """What a model keeps beside its parameters, as statistics of batches; None where it keeps nothing."""

    @property
    def learnt_from(self) -> Variables:
        """What the next step begins with."""
        return {"params": self.params} | (self.kept or {})

    @property
    def evaluated(self) -> Variables:
        """The same, with the moving average of the parameters where there is one."""
        return self.learnt_from | ({} if self.ema is None else {"params": self.ema})


def fresh(variables: Variables, optimizer: optax.MultiSteps, has_ema: bool) -> State:
    """Before the first step."""
    zero, params = jnp.zeros((), jnp.int32), variables["params"]
    ema = jax.tree.map(jnp.copy, params) if has_ema else None
    kept = {name: collection for name, collection in variables.items() if name != "params"}
    return State(zero, params, optimizer.init(params), ema, zero, kept or None)


def count(params: Any) -> int:
    """Numbers that are learnt; shapes will do."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
