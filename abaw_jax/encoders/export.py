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
    params: Mapping[str, Any], prefix: str, shape: Checkpoint, out: Path, notes: Mapping[str, Any]
) -> Path:
    """float16 weights and, from the folder that says the shape, all that belongs beside them.

    Keys are the module's own names below `prefix`; `notes` are JSON that the file carries along. The same
    weights and notes are the same bytes, by whose sha256 features are known.
    """
    from safetensors.numpy import save

    out.mkdir(parents=True, exist_ok=True)
    for name in AROUND:
        source = shape.folder / name
        if source.exists() and source.resolve() != (out / name).resolve():
            shutil.copyfile(source, out / name)
    tensors = {}
    for path, value in flatten_dict(params).items():
        key = prefix + file_key(("params", *path))
        tensors[key] = _as_in_file(key, path[-1], np.asarray(value))
    metadata = {"format": "pt"} | {key: json.dumps(value) for key, value in notes.items()}
    part = out / f"{WEIGHTS}.part"
    part.write_bytes(_in_order(save(tensors, metadata)))
    part.replace(out / WEIGHTS)
    return out / WEIGHTS


def _as_in_file(key: str, leaf: str, value: np.ndarray) -> np.ndarray:
    """From Linen's layout to the file's: the other way round than when read."""
    if leaf == "kernel" and value.ndim in TURNS:
        value = value.transpose(np.argsort(TURNS[value.ndim]))
    if not np.abs(value).max() <= np.finfo(np.float16).max:
        raise ValueError(f"{key}: found {np.abs(value).max():g}, expected numbers that float16 has")
    return np.asarray(value, np.float16, order="C")  # ascontiguousarray would give a scalar an axis


def _in_order(file: bytes) -> bytes:
    """With the header's entries sorted: safetensors writes its metadata as they come out of a hash map."""
    start = 8 + int.from_bytes(file[:8], "little")
    header = json.dumps(json.loads(file[8:start]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + file[start:]
