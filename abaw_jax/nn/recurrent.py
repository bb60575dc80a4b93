"""Gated recurrent units with torch's two sets of biases: Cho et al. 2014, https://arxiv.org/abs/1406.1078."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from abaw_jax.nn.linear import Linear
from abaw_jax.types import DType


class Gru(nn.Module):
    """The state after each row, from the first or from the last on; absent rows leave it as it is."""

    width: int
    is_reversed: bool = False
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"], present: Bool[Array, "b t"]) -> Float[Array, "b t w"]:
        w = self.width
        given = Linear(x.shape[-1], 3 * w, dtype=self.dtype, name="given")(x)  # of all rows at once
        kernel = self.param("kernel", nn.initializers.orthogonal(), (w, 3 * w)).astype(self.dtype)
        bias = self.param("bias", nn.initializers.zeros, (3 * w,)).astype(self.dtype)

        def step(state: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
            seen, is_there = row
            reset, update, new = jnp.split(seen, 3, axis=-1)
            of_state = jnp.split(state @ kernel + bias[None], 3, axis=-1)
            reset = jax.nn.sigmoid(reset + of_state[0])
            update = jax.nn.sigmoid(update + of_state[1])
            new = jnp.tanh(new + reset * of_state[2])
            state = jnp.where(is_there[:, None], (1 - update) * new + update * state, state)
            return state, state

        rows = given.swapaxes(0, 1), present.T
        begin = jnp.zeros((len(x), w), self.dtype)
        _, states = jax.lax.scan(step, begin, rows, reverse=self.is_reversed)
        return states.swapaxes(0, 1)


class BothWays(nn.Module):
    """The past and the future of each row, next to each other."""

    width: int
    dtype: DType = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b t d"], present: Bool[Array, "b t"]) -> Float[Array, "b t w"]:
        past = Gru(self.width, dtype=self.dtype, name="past")(x, present)
        future = Gru(self.width, is_reversed=True, dtype=self.dtype, name="future")(x, present)
        return jnp.concatenate([past, future], axis=-1)
