"""An encoder that was trained here, written as the files that every loader of it reads."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from abaw_jax.encoders.files import WEIGHTS, Checkpoint
from abaw_jax.encoders.hub import AROUND
from abaw_jax.encoders.naming import TURNS, file_key


def write_encoder(
    params: Mapping[str, Any], prefix: str, shape: Checkpoint, out: Path, notes: Mapping[str, str]
) -> Path:
    """float16 weights and, from the folder that says the shape, all that belongs beside them.

    Keys are the module's own names below `prefix`; `notes` are strings that the file carries along.
    """
    from safetensors.numpy import save_file

    out.mkdir(parents=True, exist_ok=True)
    for name in AROUND:
        source = shape.folder / name
        if source.exists() and source.resolve() != (out / name).resolve():
            shutil.copyfile(source, out / name)
    tensors = {
        prefix + file_key(("params", *path)): _as_in_file(path[-1], np.asarray(value))
        for path, value in flatten_dict(params).items()
    }
    part = out / f"{WEIGHTS}.part"
    save_file(tensors, part, {"format": "np", **{key: json.dumps(value) for key, value in notes.items()}})
    part.replace(out / WEIGHTS)
    return out / WEIGHTS


def _as_in_file(leaf: str, value: np.ndarray) -> np.ndarray:
    """From Linen's layout to the file's: the other way round than when read."""
    if leaf == "kernel" and value.ndim in TURNS:
        value = value.transpose(np.argsort(TURNS[value.ndim]))
    return np.ascontiguousarray(value, np.float16)
