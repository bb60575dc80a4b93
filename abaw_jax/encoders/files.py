"""A folder of weights in Hugging Face layout, read as it is: JSON and safetensors, never pickle."""

import dataclasses
import functools
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  numpy knows bfloat16 by it alone
import numpy as np

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLE = "pytorch_model.bin"
PICKLE_INDEX = "pytorch_model.bin.index.json"
PICKLES = (PICKLE, PICKLE_INDEX, "model.pth", "model.pt")
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
)
HASH_BLOCK_BYTES = 1 << 22


class UnusableWeights(ValueError):
    """Weights that are missing or not what they claim to be: never replaced by random numbers."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A folder in Hugging Face layout: `config.json` and safetensors, in one file or sharded by an index."""

    folder: Path
    source: str

    @functools.cached_property
    def config(self) -> dict[str, Any]:
        """What `config.json` says."""
        return self.read_json(CONFIG)

    @property
    def name(self) -> str:
        """A short name for people, fit for a path: the last part of the hub id or folder."""
        is_folder = Path(self.source).expanduser() == self.folder
        last = self.folder.resolve().name if is_folder else self.source.partition("@")[0].rpartition("/")[2]
        return re.sub(r"[^A-Za-z0-9._-]+", "-", last).lstrip(".-") or "weights"

    def read_json(self, name: str) -> dict[str, Any]:
        """One of the folder's JSON files."""
        return read_json(self.folder / name)

    def preprocessing(self) -> dict[str, Any]:
        """What `preprocessor_config.json` says; empty where the folder has none."""
        return self.read_json(PREPROCESSOR) if (self.folder / PREPROCESSOR).exists() else {}

    @functools.cached_property
    def weight_files(self) -> tuple[Path, ...]:
        """The safetensors files, of a sharded model all of them."""
        if files := parts(self.folder, WEIGHTS, INDEX):
            return files
        pickles = [name for name in PICKLES if (self.folder / name).exists()]
        if pickles:
            raise UnusableWeights(pickle_message(str(self.folder), pickles[0]))
        raise UnusableWeights(f"{self.folder}: found neither {WEIGHTS} nor {INDEX}; expected one of them")

    @functools.cached_property
    def sha256(self) -> str:
        """Of the weights' bytes; of a sharded model over its files' digests in order."""
        digests = [sha256_of(path) for path in self.weight_files]
        return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()

    def tensors(self) -> dict[str, np.ndarray]:
        """Every array of the files by its name."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        found: dict[str, np.ndarray] = {}
        for path in self.weight_files:
            try:
                found |= load_file(path)
            except (SafetensorError, AttributeError, KeyError, OSError, TypeError) as error:
                raise UnusableWeights(f"{path}: unreadable safetensors ({error})") from error
        return found


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file of JSON."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UnusableWeights(f"{path}: no such file; expected a folder in Hugging Face layout") from error
    except ValueError as error:
        raise UnusableWeights(f"{path}: not JSON ({error})") from error
    if not isinstance(found, dict):
        raise UnusableWeights(f"{path}: found {type(found).__name__}, expected a JSON object")
    return found


def parts(folder: Path, single: str, index: str) -> tuple[Path, ...]:
    """The files of a folder's weights: the one, or those that the index names; none if there is neither."""
    if (folder / single).exists():
        return (folder / single,)
    if not (folder / index).exists():
        return ()
    places = read_json(folder / index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise UnusableWeights(f"{folder / index}: found no weight_map, expected one")
    return tuple(_shard(folder, index, name) for name in sorted(set(map(str, places.values()))))


def _shard(folder: Path, index: str, name: str) -> Path:
    if Path(name).name != name:
        raise UnusableWeights(f"{folder / index}: found {name!r}, expected a file name without folders")
    if not (folder / name).exists():
        raise UnusableWeights(f"{folder / name}: no such file; {index} names it")
    return folder / name


def sha256_of(path: Path) -> str:
    """Digest of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def pickle_message(source: str, name: str) -> str:
    """Why a pickle is not read, and the way out."""
    return (
        f"{source}: found only {name}, a pickle, which may run any code when it is read; expected {WEIGHTS}. "
        f"`abaw convert {source} --out FOLDER` (needs the extra [parity]) makes that from it"
    )
