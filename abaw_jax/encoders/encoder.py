"""The contract of every encoder: numpy in, vectors out, and everything that its features depend on."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from abaw_jax.encoders.hearing import Hearing
from abaw_jax.types import Array, DType

Modality = Literal["face", "audio", "text"]
Variables = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Options:
    """What a config may ask of an encoder; None is the encoder's own default."""

    view: str | None = None
    region: str = "whole"
    chunk_s: float | None = None
    hop_s: float | None = None
    is_causal: bool = False
    dtype: str = "float32"

    def refuse(self, kind: str, *names: str) -> None:
        """An option that an encoder knows nothing of is an error, not a silence."""
        for field in dataclasses.fields(self):
            if field.name in names and getattr(self, field.name) != field.default:
                raise ValueError(f"{kind} knows no {field.name}; found {getattr(self, field.name)!r}")


@dataclasses.dataclass(frozen=True)
class Encoder:
    """Backbone, preprocessing and weights as one thing.

    `preprocess` makes one input of the fixed shape `input_shape` on the host; `apply` is pure and maps a
    batch of them to `[b, *shape]` (faces, text) or `[b, vectors, *shape]` (audio), in float32.
    """

    name: str
    modality: Modality
    shape: tuple[int, ...]
    preprocess: Callable[[Any], np.ndarray]
    apply: Callable[[Variables, Array], Array]
    variables: Variables
    identity: Mapping[str, Any]
    """Everything that changes the features: weights, preprocessing, view, revision. JSON only."""
    input_shape: tuple[int, ...]
    input_dtype: str = "float32"
    hearing: Hearing | None = None
    """Of audio encoders: chunks, their vectors' clock, and how far they look."""

    def __post_init__(self) -> None:
        if (self.modality == "audio") != (self.hearing is not None):
            raise ValueError(f"{self.name}: only audio encoders hear, and all of them")
        json.dumps(self.identity)


def choose(kind: str, what: str, name: str, there: Mapping[str, Any]) -> Any:
    """`there[name]`; an unknown name raises with those there are."""
    if name not in there:
        raise ValueError(f"{kind} has no {what} {name!r}; expected one of: {', '.join(there)}")
    return there[name]


def compute_dtype(name: str) -> DType:
    """The dtype that an encoder computes in."""
    return choose("an encoder", "dtype", name, {"float32": jnp.float32, "bfloat16": jnp.bfloat16})


def in_compute_dtype(variables: Variables, dtype: DType) -> Variables:
    """On the device: kernels in the dtype they are multiplied in; norms, biases, embeddings in float32."""

    def cast(path: tuple, leaf: Array) -> Array:
        return jnp.asarray(leaf, dtype if path[-1].key == "kernel" else jnp.float32)

    return jax.tree_util.tree_map_with_path(cast, variables)
