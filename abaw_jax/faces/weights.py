"""Weights of MTCNN, from the files of the installed `mtcnn` wheel (MIT licence), which is never imported.

Importing it would load TensorFlow. Its files are pickles, and a pickle can run code: nothing of a file is
unpacked before the sha256 of its bytes has been found equal to the one written here.
"""

import hashlib
import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from abaw_jax.problems import Problem, UnusableFile

WHEEL = "mtcnn==1.0.0"
SHA256 = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
LAYERS = {
    "pnet": ("conv1", "prelu1", "conv2", "prelu2", "conv3", "prelu3", "conv4_1", "conv4_2"),
    "rnet": ("conv1", "prelu1", "conv2", "prelu2", "conv3", "prelu3", "fc4", "prelu4", "fc5_1", "fc5_2"),
    "onet": (
        "conv1", "prelu1", "conv2", "prelu2", "conv3", "prelu3", "conv4", "prelu4",
        "fc5", "prelu5", "fc6_1", "fc6_2", "fc6_3",
    ),
}  # fmt: skip
"""The order in which the files list their arrays: kernel and bias, or the leaks of a PReLU."""

Params = dict[str, dict[str, np.ndarray]]


def load(network: str, folder: Path | None = None) -> Params:
    """The parameters of `pnet`, `rnet` or `onet`. Missing or different files are UnusableFile."""
    path = (folder or _wheel_folder()) / f"{network}.lz4"
    import joblib  # here and not above: only who detects faces waits for it

    return name_arrays(joblib.load(io.BytesIO(_checked_bytes(path, SHA256[network]))), LAYERS[network])


def name_arrays(arrays: Sequence[np.ndarray], layers: Sequence[str]) -> Params:
    """A list of arrays as a tree of named ones."""
    left = iter(arrays)
    params: Params = {}
    for layer in layers:
        if layer.startswith("prelu"):
            params[layer] = {"alpha": next(left).reshape(-1)}
        else:
            params[layer] = {"kernel": next(left), "bias": next(left)}
    return params


def _wheel_folder() -> Path:
    spec = importlib.util.find_spec("mtcnn")  # finds without importing
    if spec is None or not spec.submodule_search_locations:
        raise _unusable("mtcnn", "no such package", "the face detector's weights")
    return Path(next(iter(spec.submodule_search_locations))) / "assets" / "weights"


def _checked_bytes(path: Path, expected: str) -> bytes:
    """The bytes that were hashed are the bytes that are used: the file is read once."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unusable(str(path), error.strerror or "no file", f"sha256 {expected}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise _unusable(str(path), f"sha256 {found}", f"sha256 {expected}")
    return data


def _unusable(path: str, found: str, expected: str) -> UnusableFile:
    remedy = f"{expected} (pip install --no-deps --force-reinstall {WHEEL})"
    return UnusableFile(Problem(path, None, "unusable face detector weights", found, remedy))
