"""Weights that are published as pickles, made into a folder in Hugging Face layout, once and with torch.

Only tensors are taken from a pickle: whatever else it would run is refused (`weights_only`).
"""

import importlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from abaw_jax.encoders.files import (
    CONFIG,
    PICKLE,
    PICKLE_INDEX,
    WEIGHTS,
    UnusableWeights,
    parts,
    sha256_of,
)
from abaw_jax.encoders.hub import AROUND, PICKLED, open_folder
from abaw_jax.encoders.load import load

STATES = ("iresnet", "vggish", "soundnet")
"""Networks without a Hugging Face layout; the file of each has `from_torch`."""
NESTS = ("state_dict", "model_state_dict", "model", "net")
"""Where training programs put the weights among other things."""


def convert(sources: Sequence[str], out: Path) -> tuple[dict[str, str], str]:
    """Write folder `out`; returns the sha256 of every file read and of the weights written.

    `sources` is one hub id or folder, or the files of one network (VGGish has a second for its PCA).
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UnusableWeights(f"{out}: not empty; expected a folder that is new")
    folder, files = _files(sources)
    config, tensors = _tensors(folder, files)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as part:
        made = Path(part) / "made"
        _write(made, config, tensors, folder)
        load(made)  # strict about every key: what cannot be read here is not left lying about
        if out.exists():
            out.rmdir()
        made.rename(out)
    return {str(path): sha256_of(path) for path in files}, sha256_of(out / WEIGHTS)


def _files(sources: Sequence[str]) -> tuple[Path | None, tuple[Path, ...]]:
    """(the folder in Hugging Face layout if it is one, the pickles)."""
    paths = tuple(Path(source).expanduser() for source in sources)
    if all(path.is_file() for path in paths):
        return None, paths
    if len(paths) > 1:
        missing = next(path for path in paths if not path.is_file())
        raise UnusableWeights(f"{missing}: no such file; expected files, or one folder or hub id")
    folder = open_folder(sources[0], PICKLED)
    if files := parts(folder, PICKLE, PICKLE_INDEX):
        return folder, files
    raise UnusableWeights(
        f"{folder}: found neither {PICKLE} nor {PICKLE_INDEX}; expected one of them, or name the file itself"
    )


def _tensors(folder: Path | None, files: Sequence[Path]) -> tuple[dict[str, Any] | None, Mapping[str, Any]]:
    """(config.json where there is none yet, the tensors)."""
    state: dict[str, Any] = {}
    for path in files:
        found = read_state(path)
        if twice := sorted(state.keys() & found.keys()):
            raise UnusableWeights(f"{path}: found {twice[0]} a second time; expected it in one file")
        state |= found
    if folder is not None:
        return None, {key: value.contiguous().clone() for key, value in state.items()}
    arrays = {key: _array(value) for key, value in state.items()}
    reasons = []
    for kind in STATES:
        try:
            return importlib.import_module(f"abaw_jax.encoders.{kind}").from_torch(arrays)
        except UnusableWeights as error:
            reasons.append(str(error))
    names = ", ".join(map(str, files))
    raise UnusableWeights(
        f"{names}: expected the weights of one of {', '.join(STATES)}; found: {'; '.join(reasons)}"
    )


def _array(tensor: Any) -> Any:
    return (tensor.float() if tensor.dtype.is_floating_point else tensor).numpy()


def read_state(path: Path) -> dict[str, Any]:
    """The tensors of a pickle by name, and nothing that runs."""
    import pickle

    torch = _torch()
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnusableWeights(
            f"{path}: holds more than tensors, or is no file of torch's; refused, since reading it "
            f"would run it ({_first_line(error)})"
        ) from error
    except Exception as error:  # rubbish leads torch anywhere
        raise UnusableWeights(f"{path}: no whole file of torch's ({_first_line(error)})") from error
    for nest in NESTS:
        if isinstance(found, Mapping) and isinstance(found.get(nest), Mapping):
            found = found[nest]
    if isinstance(found, torch.Tensor):  # a matrix saved alone goes by its file's name
        return {path.stem: found}
    if not isinstance(found, Mapping):
        raise UnusableWeights(f"{path}: found {type(found).__name__}, expected a state dict")
    tensors = {str(key): value for key, value in found.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise UnusableWeights(f"{path}: found no tensors, expected a state dict")
    return tensors


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise UnusableWeights(
            "reading a pickle needs torch: pip install 'abaw-jax[parity]' (only once, here)"
        ) from error
    return torch


def _write(out: Path, config: dict[str, Any] | None, tensors: Mapping[str, Any], folder: Path | None) -> None:
    out.mkdir()
    if config is not None:
        from safetensors.numpy import save_file

        (out / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    else:
        from safetensors.torch import save_file

        for name in AROUND:
            if (folder / name).exists():
                shutil.copyfile(folder / name, out / name)
    save_file(dict(tensors), out / WEIGHTS, {"format": "pt"})
