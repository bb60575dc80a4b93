"""How a voice speaks, told from its states: pitch, energy, tilt, and what can be heard of the mouth."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from abaw_jax.tasks.fit import Sums, fit_sums, r_squared
from abaw_jax.tasks.task import NO_STATS, Loss, NoStats, Variables
from abaw_jax.types import Batch, Outputs

PROSODY = ("pitch", "energy", "tilt", "open", "smile", "frown")
SPREAD = (1.0, 1.0, 1.0, 0.4, 0.4, 0.4)
"""About what each varies by: errors count as shares of it."""


class Voice(nn.Module):
    """A network of voices, and a linear map from each of its last states; only the network is kept."""

    network: nn.Module
    prepare: Callable[[Array], Array]

    @nn.compact
    def __call__(self, mel: Float[Array, "b t m"]) -> Float[Array, "b u 7"]:
        """What is told at each state, and last whether anything is heard, as a logit."""
        states = self.network(self.prepare(mel))[-1]
        return nn.Dense(len(PROSODY) + 1, name="prosody")(states)


@dataclasses.dataclass(frozen=True)
class ProsodyTask:
    """Squared error where anything is heard, and the cross entropy of whether there is."""

    model: Voice
    name: str = "prosody"
    stats: NoStats = NO_STATS

    score = "r2"

    def example(self) -> Batch:
        """One chunk, for its shape and type."""
        config = self.model.network.config
        return {"mel": np.zeros((1, 2 * config.max_source_positions, config.num_mel_bins), np.float16)}

    def init(self, rng: Array, batch: Batch) -> Variables:
        """Fresh variables."""
        return self.model.init(rng, batch["mel"])

    def loss(self, variables: Variables, batch: Batch, rng: Array) -> Loss:
        """(what is minimised, its parts, nothing that is kept)."""
        told, wanted, heard = self._told(variables, batch)
        error = jnp.square((told[..., :-1] - wanted) / np.float32(SPREAD)[None, None]).mean(axis=-1)
        prosody = jnp.where(heard, error, 0).sum() / jnp.maximum(heard.sum(), 1)
        hearing = optax.sigmoid_binary_cross_entropy(told[..., -1], heard.astype(jnp.float32)).mean()
        return prosody + hearing, {"loss/prosody": prosody, "loss/hearing": hearing}, None

    def predict(self, variables: Variables, batch: Batch) -> Outputs:
        """Sums over what is heard of the real voices."""
        told, wanted, heard = self._told(variables, batch)
        mask = (heard & batch["is_real"][:, None]).reshape(-1)
        return fit_sums(told[..., :-1].reshape(-1, len(PROSODY)), wanted.reshape(-1, len(PROSODY)), mask)

    def scores(self, sums: Sums) -> dict[str, Any]:
        """R² over all six and of each."""
        each = r_squared(sums)
        return {"r2": float(each.mean()), "controls": dict(zip(PROSODY, each.tolist(), strict=True))}

    def _told(self, variables: Variables, batch: Batch) -> tuple[Array, Array, Array]:
        """(what is told, what was so, where it is heard), each at the states' times."""
        told = self.model.apply(variables, batch["mel"])
        rows = batch["prosody"].shape[1]
        nearest = np.arange(told.shape[1]) * rows // told.shape[1]
        return told, batch["prosody"][:, nearest], batch["is_heard"][:, nearest]
