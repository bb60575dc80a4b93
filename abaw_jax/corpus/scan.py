"""Walk a corpus root once: videos, sounds, folders of numbered images, text files; and its time stamps."""

import dataclasses
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

KINDS = {
    **dict.fromkeys((".mp4", ".avi", ".mkv", ".mov", ".webm"), "videos"),
    **dict.fromkeys((".wav", ".flac"), "sounds"),
    ".txt": "texts",
    ".csv": "tables",
}
"""The list of a Scan that a file's suffix puts it in."""
IMAGE_NAME = re.compile(r"[0-9]{5}\.jpg")
IGNORED_FOLDERS = frozenset({"__MACOSX", "__pycache__"})

Stamp = tuple[int, int]
"""(modification time in ns, size in bytes; 0 for folders)."""


@dataclasses.dataclass
class ImageFolder:
    """A folder of `{k:05d}.jpg`: the rows it holds, and how many other files lie in it."""

    path: str
    rows: np.ndarray
    others: int

    @property
    def kind(self) -> str:
        """cropped_aligned, cropped or images: the nearest folder above that says so."""
        for part in reversed(self.path.split("/")[:-1]):
            for kind in ("cropped_aligned", "cropped"):
                if part.startswith(kind):
                    return kind
        return "images"


@dataclasses.dataclass
class Scan:
    """Everything below a root, as paths relative to it; `stamps` are what a cached index is checked by."""

    root: Path
    videos: list[str] = dataclasses.field(default_factory=list)
    sounds: list[str] = dataclasses.field(default_factory=list)
    texts: list[str] = dataclasses.field(default_factory=list)
    tables: list[str] = dataclasses.field(default_factory=list)
    images: list[ImageFolder] = dataclasses.field(default_factory=list)
    folders: list[str] = dataclasses.field(default_factory=list)
    stamps: dict[str, Stamp] = dataclasses.field(default_factory=dict)


def scan(root: Path, on_folder: Callable[[str], None] = lambda _: None) -> Scan:
    """Walk `root`, through symbolic links too, each real folder once."""
    found = Scan(root)
    seen: set[tuple[int, int]] = set()
    pending = ["."]
    while pending:
        folder = pending.pop()
        status = (root / folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        on_folder(folder)
        found.folders.append(folder)
        found.stamps[folder] = (status.st_mtime_ns, 0)
        pending += sorted(_read_folder(found, folder), reverse=True)
    for names in (found.videos, found.sounds, found.texts, found.tables, found.folders):
        names.sort()
    found.images.sort(key=lambda images: images.path)
    return found


def _read_folder(found: Scan, folder: str) -> list[str]:
    """File the entries of one folder; returns the folders in it."""
    prefix = "" if folder == "." else f"{folder}/"
    below, rows, others = [], [], 0
    with os.scandir(found.root / folder) as entries:
        for entry in entries:
            name = entry.name
            if name.endswith(".jpg") and IMAGE_NAME.fullmatch(name):
                rows.append(int(name[:5]))
            elif name.startswith(".") or name in IGNORED_FOLDERS:
                continue
            elif entry.is_dir():
                below.append(prefix + name)
            else:
                others += not _file_entry(found, prefix + name, entry)
    if rows:
        found.images.append(ImageFolder(folder, np.sort(np.array(rows, np.int64)), others))
    return below


def _file_entry(found: Scan, path: str, entry: os.DirEntry) -> bool:
    """Whether the file is of a kind that a corpus is made of."""
    kind = KINDS.get(path[path.rfind(".") :].lower())
    if kind is None or not entry.is_file():
        return False
    getattr(found, kind).append(path)
    status = entry.stat()
    found.stamps[path] = (status.st_mtime_ns, status.st_size)
    return True


def changed(root: Path, stamps: Mapping[str, Sequence[int]]) -> str | None:
    """The first path whose stamp is no longer what it was, or None: the index still stands."""
    for path, (modified_ns, size) in stamps.items():
        try:
            status = os.stat(root / path)  # noqa: PTH116 - thousands of calls on the way to the first step
        except OSError:
            return path
        if status.st_mtime_ns != modified_ns or (size and status.st_size != size):
            return path
    return None
