"""From what a config names to a folder on disk: `folder`, `owner/name` or `owner/name@revision`."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from abaw_jax.encoders.files import (
    CONFIG,
    INDEX,
    PICKLE,
    PICKLE_INDEX,
    PREPROCESSOR,
    TOKENIZER_FILES,
    WEIGHTS,
    Checkpoint,
    UnusableWeights,
    parts,
    pickle_message,
)

HUB_ID = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>\w[\w./-]*))?", re.ASCII
)
SAFE = (WEIGHTS, INDEX)
PICKLED = (PICKLE, PICKLE_INDEX)
SHARDS = {SAFE: "model-*.safetensors", PICKLED: "pytorch_model-*.bin"}
AROUND = (CONFIG, PREPROCESSOR, *TOKENIZER_FILES)
"""What is kept with the weights."""
MAIN = "main"


def open_checkpoint(source: str | Path) -> Checkpoint:
    """A local folder, or a snapshot of the hub: the one on disk where there is one, else downloaded.

    Without `@revision` the newest is downloaded once; the weights' sha256 in every store says which it was.
    """
    return Checkpoint(open_folder(source, SAFE), str(source))


def open_folder(source: str | Path, weights: tuple[str, str]) -> Path:
    """The folder with what `source` names; of the hub, one that has `weights` (SAFE or PICKLED) whole."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    found = HUB_ID.fullmatch(str(source))
    if folder.is_file():
        raise UnusableWeights(f"{source}: found a file, expected the folder that it is in")
    if found is None or ".." in str(source):
        raise UnusableWeights(
            f"{source}: no such folder, and no hub id (owner/name or owner/name@revision); "
            "of weights that are pickles `abaw convert` makes a folder"
        )
    return _snapshot(found["name"], found["revision"] or MAIN, weights)


def _snapshot(name: str, revision: str, weights: tuple[str, str]) -> Path:
    cached = _on_disk(name, revision)
    is_whole = cached is not None and _has(cached, weights)
    if is_whole and _is_preprocessing_known(name, revision):
        return cached
    try:
        return _download(name, cached.name if is_whole else revision, weights)  # the commit that is there
    except UnusableWeights as error:
        if is_whole:
            logging.warning("%s: no %s on disk; going by its kind's defaults", name, PREPROCESSOR)
            return cached
        if cached is not None and weights == SAFE and _has(cached, PICKLED):
            raise UnusableWeights(pickle_message(name, _first(PICKLED, cached))) from error
        raise


def _on_disk(name: str, revision: str) -> Path | None:
    """The snapshot in the hub's own cache; it may be of a download that was cut off, or of other files."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, CONFIG, revision=revision)
    except HFValidationError as error:
        raise UnusableWeights(f"{name}: no such folder, and no hub id ({error})") from error
    return Path(found).parent if isinstance(found, str) else None


def _has(folder: Path, weights: tuple[str, str]) -> bool:
    try:
        return bool(parts(folder, *weights))
    except UnusableWeights:
        return False


def _first(names: tuple[str, ...], folder: Path) -> str:
    return next(name for name in names if (folder / name).exists())


def _is_preprocessing_known(name: str, revision: str) -> bool:
    """Other programs fetch weights alone; other pixels would then be other features, in silence."""
    from huggingface_hub import try_to_load_from_cache

    return try_to_load_from_cache(name, PREPROCESSOR, revision=revision) is not None


def _download(name: str, revision: str, weights: tuple[str, str]) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    wanted = [*AROUND, *weights, SHARDS[weights]]
    with _one_line(name, revision, weights[0]):
        info = HfApi().model_info(name, revision=revision)
        there = {sibling.rfilename for sibling in info.siblings or ()}
        if not there & set(weights):
            raise UnusableWeights(_lacks(name, weights, there))
        # by its name, not by its commit: the cache remembers only names that it was asked for
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=wanted))
    parts(folder, *weights)
    return folder


def _lacks(name: str, weights: tuple[str, str], there: set[str]) -> str:
    pickles = [pickle for pickle in PICKLED if pickle in there]
    if weights == SAFE and pickles:
        return pickle_message(name, pickles[0])
    return f"{name}: the hub has neither {weights[0]} nor {weights[1]} of it; expected one of them"


@contextmanager
def _one_line(name: str, revision: str, weights: str) -> Iterator[None]:
    """Everything that the hub's client raises, as what to do about it."""
    from huggingface_hub import constants, errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise UnusableWeights(
            f"{name}: its owner wants a consent first; give it at {constants.ENDPOINT}/{name}, "
            "then `hf auth login`"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise UnusableWeights(
            f"{name}: no such folder, and the hub has no such model; expected owner/name or a folder"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise UnusableWeights(
            f"{name}: found revision {revision!r}, expected a branch, tag or commit of it"
        ) from error
    # HTTPError is the transport's own: httpx's in the client's version 1, httpx2's in version 2
    except (errors.HTTPError, errors.LocalEntryNotFoundError, ConnectionError) as error:
        raise UnusableWeights(_offline_message(name, weights, error)) from error


def _offline_message(name: str, weights: str, error: Exception) -> str:
    return (
        f"{name}: {CONFIG} and {weights} are not on this machine and the hub cannot be reached "
        f"({type(error).__name__}). Two ways to provide them: run once with a network, or copy the model's "
        f"folder here and name that folder instead of {name!r}"
    )
