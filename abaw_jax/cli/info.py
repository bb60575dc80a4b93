"""`abaw info`: what this machine has, which encoders lie on it, and what is in the feature store."""

import argparse
import collections
import importlib.metadata
import json
import os
import platform
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from abaw_jax.defaults import get_config
from abaw_jax.encoders.files import (
    CONFIG,
    INDEX,
    PICKLE,
    PICKLE_INDEX,
    WEIGHTS,
    Checkpoint,
    UnusableWeights,
    parts,
    read_json,
)
from abaw_jax.encoders.load import KINDS
from abaw_jax.store.features import Store
from abaw_jax.terminal import bytes_text

PACKAGES = (
    "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "ml-collections", "numpy",
    "transformers", "safetensors", "huggingface-hub", "librosa", "av", "torch",
)  # fmt: skip
CODECS = {
    "video": ("h264", "hevc", "mpeg4", "vp8", "vp9", "av1", "mjpeg"),
    "sound": ("aac", "mp3", "ac3", "opus", "vorbis", "flac", "pcm_s16le"),
}
"""What clips on the web come in."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    store = get_config().store.root
    parser.add_argument("--store", type=Path, default=Path(store), metavar="FOLDER", help="(%(default)s)")
    parser.add_argument(
        "--encoders", type=Path, action="append", default=[], metavar="FOLDER",
        help="also look for encoders below this folder; may be repeated",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")


def run(args: argparse.Namespace) -> int:
    """Look, and tell."""
    found = {
        "versions": versions(),
        "devices": devices(),
        "codecs": codecs(),
        "encoders": list(encoders(args.encoders)),
        "store": store(args.store),
    }
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        _print(found)
    return 0


def versions() -> dict[str, str]:
    """Of Python and of the packages whose version may matter."""
    there = {"python": platform.python_version(), "platform": platform.platform(terse=True)}
    for name in ("abaw-jax", *PACKAGES):
        try:
            there[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            there[name] = "not installed"
    return there


def devices() -> list[dict[str, Any]]:
    """What jax computes on, and the cores that feed it."""
    import jax

    found = [{"kind": "CPU cores", "count": cores()}]
    try:
        there = jax.devices()
    except RuntimeError as error:
        return [*found, {"kind": f"none for jax ({str(error).splitlines()[0]})", "count": 0}]
    kinds = collections.Counter((d.device_kind, (d.memory_stats() or {}).get("bytes_limit")) for d in there)
    return found + [
        {"kind": f"jax {there[0].platform} ({kind})", "count": count, "bytes_each": memory}
        for (kind, memory), count in kinds.items()
    ]


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def codecs() -> dict[str, Any]:
    """The decoders of the FFmpeg that PyAV brings."""
    import av

    there = av.codecs_available
    found: dict[str, Any] = {"ffmpeg": ".".join(map(str, av.library_versions["libavcodec"]))}
    for kind, names in CODECS.items():
        found[kind] = [name for name in names if name in there]
        found[f"no {kind}"] = [name for name in names if name not in there]
    return found


def encoders(folders: list[Path]) -> Iterator[dict[str, Any]]:
    """Those in the hub's cache, and those below the folders given."""
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        for repository in sorted(
            scan_cache_dir(constants.HF_HUB_CACHE).repos, key=lambda repository: repository.repo_id
        ):
            for revision in repository.revisions:
                if found := _encoder(revision.snapshot_path, repository.repo_id):
                    yield found | {"revision": ", ".join(sorted(revision.refs)) or revision.commit_hash}
    except CacheNotFound:
        pass
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder")
        for path in sorted(folder.rglob(CONFIG)):
            if found := _encoder(path.parent, str(path.parent)):
                yield found


def _encoder(folder: Path, source: str) -> dict[str, Any] | None:
    """What a config would name, if it is one of ours."""
    try:
        kind = read_json(folder / CONFIG).get("model_type")
        if kind not in KINDS:
            return None
        if any((folder / name).exists() for name in (WEIGHTS, INDEX)):
            files = Checkpoint(folder, source).weight_files
            state = "ready"
        elif files := parts(folder, PICKLE, PICKLE_INDEX):
            state = f"a pickle; `abaw convert {source} --out FOLDER`"
        else:
            state = "no weights"
    except UnusableWeights as error:
        return {"source": source, "kind": "?", "state": str(error), "bytes": 0}
    size = sum(path.stat().st_size for path in files)
    return {"source": source, "kind": kind, "state": state, "bytes": size}


def store(root: Path) -> dict[str, Any]:
    """Each kind of features, its tracks and bytes."""
    kinds = []
    for features in Store(root).folders():
        size = sum(path.stat().st_size for path in features.path.iterdir() if path.is_file())
        spec = features.spec
        kinds.append({
            "folder": features.path.name, "encoder": spec.name, "shape": list(spec.shape),
            "dtype": spec.dtype, "grid": spec.grid.kind, "tracks": len(features.tracks()), "bytes": size,
        })  # fmt: skip
    return {"root": str(root.absolute()), "is_there": root.is_dir(), "features": kinds}


def _print(found: dict[str, Any]) -> None:
    there = found["versions"]
    _line("abaw_jax", [f"{there['abaw-jax']}, Python {there['python']}, {there['platform']}"])
    _line("packages", [f"{name} {there[name]}" for name in PACKAGES])
    _line("devices", [_device(device) for device in found["devices"]])
    codecs = found["codecs"]
    for kind in CODECS:
        _line(kind, codecs[kind] + [f"no {name}" for name in codecs[f"no {kind}"]])
    print("encoders on disk" if found["encoders"] else "encoders on disk: none")
    for encoder in found["encoders"]:
        revision = f" @{encoder['revision']}" if "revision" in encoder else ""
        print(f"  {encoder['source']}{revision}")
        print(f"    {encoder['kind']}, {bytes_text(encoder['bytes'])}: {encoder['state']}")
    store = found["store"]
    total = bytes_text(sum(kind["bytes"] for kind in store["features"]))
    print(f"feature store {store['root']}: {total if store['is_there'] else 'not there yet'}")
    for kind in store["features"]:
        vector = f"{' x '.join(map(str, kind['shape']))} {kind['dtype']}"
        print(f"  {kind['folder']}")
        print(f"    {kind['tracks']} tracks, {vector} on {kind['grid']}, {bytes_text(kind['bytes'])}")


def _line(title: str, parts: list[str]) -> None:
    print(textwrap.fill(", ".join(parts), 80, initial_indent=f"{title:<10}", subsequent_indent=" " * 10))


def _device(device: dict[str, Any]) -> str:
    memory = f" of {bytes_text(device['bytes_each'])}" if device.get("bytes_each") else ""
    return f"{device['count']} x {device['kind']}{memory}"
