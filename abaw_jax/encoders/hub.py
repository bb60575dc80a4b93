"""From what a config names to a folder on disk: `folder`, `owner/name` or `owner/name@revision`."""

import re
from pathlib import Path

from abaw_jax.encoders.files import (
    CONFIG,
    INDEX,
    PICKLES,
    PREPROCESSOR,
    TOKENIZER_FILES,
    WEIGHTS,
    Checkpoint,
    UnusableWeights,
    pickle_message,
)

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(?:@[\w.-]+)?")
WANTED = (CONFIG, PREPROCESSOR, WEIGHTS, INDEX, "model-*.safetensors", *TOKENIZER_FILES)


def open_checkpoint(source: str | Path) -> Checkpoint:
    """A local folder, or a snapshot of the hub: the one on disk where there is one, else downloaded.

    Without `@revision` the newest is downloaded once; the weights' sha256 in every store says which it was.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return Checkpoint(folder, str(source))
    if not HUB_ID.fullmatch(str(source)):
        raise UnusableWeights(f"{source}: no such folder, and no hub id (owner/name or owner/name@revision)")
    snapshot = _on_disk(str(source)) or _download(str(source))
    checkpoint = Checkpoint(snapshot, str(source))
    _ = checkpoint.config, checkpoint.weight_files
    return checkpoint


def _parts(source: str) -> tuple[str, str | None]:
    name, _, revision = source.partition("@")
    return name, revision or None


def _on_disk(source: str) -> Path | None:
    """The snapshot in the hub's own cache, if it has the weights."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    name, revision = _parts(source)
    try:
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, FileNotFoundError):
        return None
    return folder if (folder / WEIGHTS).exists() or (folder / INDEX).exists() else None


def _download(source: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    name, revision = _parts(source)
    try:
        info = HfApi().model_info(name, revision=revision)
    except RepositoryNotFoundError as error:
        raise UnusableWeights(
            f"{name}: the hub has no such model; expected owner/name or a folder"
        ) from error
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError) as error:
        raise UnusableWeights(_offline_message(name, error)) from error
    except Exception as error:  # the hub's client changes its transport, and with it what it raises
        if type(error).__module__.split(".")[0] not in ("httpx", "httpcore", "requests", "urllib3"):
            raise
        raise UnusableWeights(_offline_message(name, error)) from error
    files = {sibling.rfilename for sibling in info.siblings or ()}
    pickles = [pickle for pickle in PICKLES if pickle in files]
    if not files & {WEIGHTS, INDEX}:
        if pickles:
            raise UnusableWeights(pickle_message(name, pickles[0]))
        raise UnusableWeights(
            f"{name}: the hub has neither {WEIGHTS} nor {INDEX} of it; expected one of them"
        )
    return Path(snapshot_download(name, revision=info.sha, allow_patterns=list(WANTED)))


def _offline_message(name: str, error: Exception) -> str:
    return (
        f"{name}: {CONFIG} and {WEIGHTS} are not on this machine and the hub cannot be reached "
        f"({type(error).__name__}). Two ways to provide them: run once with a network, or copy the model's "
        f"folder here and name that folder instead of {name!r}"
    )
