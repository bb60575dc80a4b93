"""What flows between the rooms, and the letters that name its axes.

Shape letters, everywhere and indexed from the right: `b` clip, `t` row, `d` width, `c` class, `h w` pixels,
`s` samples, `m` mel, `n` points or list entries.
"""

from collections.abc import Mapping
from typing import Any

Array = Any
"""numpy on the host, jax on the device: the contracts below are the same."""

DType = Any
"""`jnp.float32`, `jnp.bfloat16`: what networks compute in."""

Batch = Mapping[str, Array]
"""A flat dict: `<stream>` [b n …] with its `present/<stream>` [b n]; labels `va` [b t 2], `expr` [b t],
`au` [b t 12], each with `<task>_mask`; `track` and `row` for putting predictions back."""

Outputs = Mapping[str, Array]
"""What a model returns: a dict keyed by task, plus the named intermediates that a task wants."""


def present_key(stream: str) -> str:
    """The batch key that says which entries of a stream are real."""
    return f"present/{stream}"


def mask_key(task: str) -> str:
    """The batch key that says which labels of a task are real."""
    return f"{task}_mask"
