"""Faces held against words: what a window looks like, in the space of prompts, and what its labels say it is.

`expressions`: symmetric contrast with the prompt of each window's own label (Byeon, Kim, Lim 2026, arXiv
2603.11971). As there are eight prompts only, windows of one class are each other's positives; with
`positives="own"` they are negatives, as published, and the loss cannot reach zero. `states`: membership of
nine states of valence and arousal, which fades with the distance from their centres (Jung, Park, Lim 2026,
arXiv 2603.13415).
"""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from abaw_jax.problems import one_of
from abaw_jax.prompts import PROMPTS, STATE_CENTRE, TEMPLATES
from abaw_jax.tasks.contrast import unit
from abaw_jax.types import Batch, Outputs, mask_key, present_key

POSITIVES = ("same", "own")
SIGMA = 0.45
"""How far a state reaches, arXiv 2603.13415."""
CENTRES = np.array(list(itertools.product((-STATE_CENTRE, 0.0, STATE_CENTRE), repeat=2)))


@dataclasses.dataclass(frozen=True)
class Words:
    """A term beside the loss of the labels; `vectors` are those of the prompts, in their order."""

    prompts: str
    vectors: Float[np.ndarray, "n d"]
    share: float
    scale: float
    """Of cosines, before softmax."""
    positives: str = "same"
    stream: str = "video"
    """Whose faces: a window without one is not held against anything."""

    def __post_init__(self) -> None:
        one_of("text.positives", self.positives, POSITIVES)
        if len(self.vectors) != (wanted := len(PROMPTS[one_of("text.prompts", self.prompts, PROMPTS)])):
            raise ValueError(f"text.prompts: found {len(self.vectors)} vectors, expected {wanted}")

    def loss(self, outputs: Outputs, batch: Batch) -> Float[Array, ""]:
        """Over the windows whose label is known, each by the last of its rows."""
        if "described" not in outputs:
            there = ", ".join(outputs)
            raise ValueError(f"text.prompts: the model puts nothing beside words; it has: {there}")
        described, width = outputs["described"], self.vectors.shape[1]
        if described.shape[-1] != width:
            raise ValueError(
                f"text.encoder: found vectors of {width} numbers, expected {described.shape[-1]} as of faces"
            )
        task = "expr" if self.prompts == "expressions" else "va"
        if task not in batch:
            raise ValueError(f"text.prompts: {self.prompts!r} are held against labels of {task}")
        label, seen = batch[task][:, -1], batch[present_key(self.stream)].any(axis=1)
        mask = batch[mask_key(task)][:, -1] & seen
        if task == "expr":
            return own_prompt_loss(
                described, jnp.asarray(self.vectors), label, mask, self.scale, self.positives
            )
        return state_loss(described, prototypes(self.vectors), label, mask, self.scale)


def own_prompt_loss(
    described: Float[Array, "b d"],
    prompts: Float[Array, "8 d"],
    label: Int[Array, " b"],
    mask: Bool[Array, " b"],
    scale: float,
    positives: str = "same",
) -> Float[Array, ""]:
    """Half the mean cross entropy of finding each window's prompt, and half that of each prompt's window."""
    label = jnp.where(mask, label, 0)
    logits = scale * (unit(described) @ unit(prompts)[label].T)
    is_own = jnp.eye(len(label), dtype=bool) if positives == "own" else label[:, None] == label[None]
    valid = mask[:, None] & mask[None]
    target = jnp.where(is_own & valid, 1.0, 0.0)
    target /= jnp.maximum(target.sum(axis=1, keepdims=True), 1)
    count = jnp.maximum(mask.sum(), 1)

    def found(logits: Array) -> Array:
        log_p = jax.nn.log_softmax(jnp.where(valid, logits, jnp.finfo(jnp.float32).min), axis=1)
        return -jnp.where(target > 0, target * log_p, 0).sum() / count

    return 0.5 * (found(logits) + found(logits.T))


def state_loss(
    described: Float[Array, "b d"],
    states: Float[Array, "9 d"],
    va: Float[Array, "b 2"],
    mask: Bool[Array, " b"],
    scale: float,
) -> Float[Array, ""]:
    """KL of the soft membership from that of the cosines, the mean over windows."""
    wanted = soft_states(jnp.where(mask[:, None], va, 0))
    log_p = jax.nn.log_softmax(scale * (unit(described) @ unit(states).T), axis=1)
    divergence = (wanted * (jnp.log(wanted) - log_p)).sum(axis=1)
    return jnp.where(mask, divergence, 0).sum() / jnp.maximum(mask.sum(), 1)


def soft_states(va: Float[Array, "b 2"]) -> Float[Array, "b 9"]:
    """exp(-distance² / 2σ²) to the centre of each state, adding up to 1."""
    far = jnp.square(va[:, None] - jnp.asarray(CENTRES, jnp.float32)[None]).sum(axis=-1)
    return jax.nn.softmax(-far / (2 * SIGMA**2), axis=1)


def prototypes(vectors: Float[np.ndarray, "n d"]) -> Float[Array, "9 d"]:
    """One a state: the mean of its templates, each of length 1."""
    each = unit(jnp.asarray(vectors)).reshape(-1, len(TEMPLATES), vectors.shape[1])
    return unit(each.mean(axis=1))
