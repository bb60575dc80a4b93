"""From a Hugging Face file's names and layouts to a Linen tree, strict about what is missing and left over.

Submodules are named as in the file, so one rule serves all: `layers_0` is `layers.0`, a kernel is a weight
with its axes turned round. What a network spells otherwise stands in its Spelling.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from abaw_jax.encoders.files import Checkpoint, UnusableWeights

LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "embedding": "weight",
    "mean": "running_mean",
    "var": "running_var",
}
TURNS = {2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0)}
"""From [out, in, …] of the file to [… in, out] of Linen."""
NUMBERED = re.compile(r"_(\d+)$")
ALWAYS_IGNORED = r"(.*\.)?(num_batches_tracked|position_ids)"
SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Spelling:
    """How files of one network may differ from its module."""

    prefixes: tuple[str, ...] = ("",)
    """The first of them that any key has is what the network stands under, in files of whole systems."""
    ignored: tuple[str, ...] = ()
    """Patterns of keys that belong to parts we do not have, such as a classifier."""
    renamed: tuple[tuple[str, str], ...] = ()
    """(pattern in the file, how the module spells it)."""


def file_key(path: tuple[str, ...]) -> str:
    """`('params', 'layers_0', 'fc1', 'kernel')` ▶ `layers.0.fc1.weight`."""
    *modules, leaf = path[1:]
    return ".".join([*(NUMBERED.sub(r".\1", module) for module in modules), LEAVES.get(leaf, leaf)])


def load_variables(template: Mapping[str, Any], checkpoint: Checkpoint, spelling: Spelling) -> dict[str, Any]:
    """The file's arrays in the shape of `template` (from `jax.eval_shape` of the module's init), float32."""
    tensors = _respelt(checkpoint, spelling)
    wanted = flatten_dict(template)
    filled, missing = {}, []
    for path, leaf in wanted.items():
        key = file_key(path)
        if key not in tensors:
            missing.append(key)
            continue
        filled[path] = _laid_out(tensors.pop(key), path[-1], leaf.shape, key, checkpoint)
    _complain("lacks", missing, checkpoint)
    _complain("has unknown", sorted(tensors), checkpoint)
    return unflatten_dict(filled)


def _respelt(checkpoint: Checkpoint, spelling: Spelling) -> dict[str, np.ndarray]:
    tensors = checkpoint.tensors()
    prefix = next((p for p in spelling.prefixes if any(key.startswith(p) for key in tensors)), "")
    ignored = re.compile("|".join((ALWAYS_IGNORED, *spelling.ignored)))
    respelt = {}
    for key, value in tensors.items():
        if ignored.fullmatch(key):
            continue
        name = key.removeprefix(prefix)
        for pattern, replacement in spelling.renamed:
            name = re.sub(pattern, replacement, name)
        if name in respelt:
            raise UnusableWeights(f"{checkpoint.folder}: found {key} twice under two spellings, expected one")
        respelt[name] = value
    return respelt


def _laid_out(
    value: np.ndarray, leaf: str, shape: tuple[int, ...], key: str, checkpoint: Checkpoint
) -> np.ndarray:
    turned = value.transpose(TURNS[value.ndim]) if leaf == "kernel" and value.ndim in TURNS else value
    if turned.shape != tuple(shape):
        expected = _in_file(shape) if leaf == "kernel" else shape
        raise UnusableWeights(
            f"{checkpoint.folder}: {key}: found shape {value.shape}, "
            f"expected {tuple(expected)} as config.json has it"
        )
    if value.dtype.kind != "f" and value.dtype.name != "bfloat16":
        raise UnusableWeights(f"{checkpoint.folder}: {key}: found {value.dtype}, expected floating point")
    return np.array(turned, np.float32, order="C")


def _in_file(shape: tuple[int, ...]) -> tuple[int, ...]:
    turn = TURNS.get(len(shape), tuple(range(len(shape))))
    return tuple(shape[turn.index(axis)] for axis in range(len(shape)))


def _complain(what: str, keys: list[str], checkpoint: Checkpoint) -> None:
    if keys:
        more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
        raise UnusableWeights(
            f"{checkpoint.folder}: the file {what} {len(keys)} keys: {', '.join(keys[:SHOWN])}{more}"
        )


def template_of(init, *args: Any) -> Mapping[str, Any]:
    """The shapes of a module's variables; nothing is computed."""
    return jax.eval_shape(init, jax.random.key(0), *args)
