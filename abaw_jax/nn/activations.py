"""Activations by the names that configs of Hugging Face models use."""

from collections.abc import Callable
from functools import partial

import jax
from jaxtyping import Array, Float


def quick_gelu(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """The sigmoid approximation that OpenAI's CLIP was trained with."""
    return x * jax.nn.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Callable] = {
    "gelu": partial(jax.nn.gelu, approximate=False),
    "gelu_new": partial(jax.nn.gelu, approximate=True),
    "gelu_pytorch_tanh": partial(jax.nn.gelu, approximate=True),
    "leaky_relu": jax.nn.leaky_relu,
    "quick_gelu": quick_gelu,
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "swish": jax.nn.silu,
    "tanh": jax.numpy.tanh,
}


def activation(name: str) -> Callable:
    """The function of a name; an unknown name is an error with those there are."""
    if name not in ACTIVATIONS:
        raise ValueError(f"no activation {name!r}; expected one of: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
