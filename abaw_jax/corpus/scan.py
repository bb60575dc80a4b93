"""Walk a corpus root once: videos, sounds, folders of numbered images, text files; and its time stamps."""

import dataclasses
import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from abaw_jax.labels import LSD_FOLDERS
from abaw_jax.problems import Problem, shorten

KINDS = {
    **dict.fromkeys((".mp4", ".avi", ".mkv", ".mov", ".webm"), "videos"),
    **dict.fromkeys((".wav", ".flac"), "sounds"),
    ".txt": "texts",
    ".csv": "tables",
}
"""The list of a Scan that a file's suffix puts it in."""
IMAGE_NAME = re.compile(r"[0-9]{5}\.jpg")
ODD_IMAGE_NAME = re.compile(r"[0-9]+\.(?:jpe?g|png|bmp)", re.IGNORECASE)
IGNORED_FOLDERS = frozenset({"__MACOSX", "__pycache__"})

Stamp = tuple[int, int]
"""(modification time in ns, size in bytes; 0 for folders)."""
ABSENT: Stamp = (-1, 0)


@dataclasses.dataclass
class ImageFolder:
    """A folder of `{k:05d}.jpg` and the rows it holds."""

    path: str
    rows: np.ndarray

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
    problems: list[Problem] = dataclasses.field(default_factory=list)

    def complain(self, path: str, kind: str, found: str, expected: str, level: str = "note") -> None:
        """Report something about a path below the root."""
        self.problems.append(Problem(str(self.root / path), None, kind, found, expected, level))


def scan(root: Path, on_folder: Callable[[str], None] = lambda _: None) -> Scan:
    """Walk `root`, through symbolic links too, each real folder once.

    Linked folders come last, so that a folder goes by its own name and not by that of a link to it.
    """
    found = Scan(root)
    seen: set[tuple[int, int]] = set()
    pending, linked = ["."], []
    while pending or linked:
        folder = pending.pop() if pending else linked.pop(0)
        try:
            status = (root / folder).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            on_folder(folder)
            found.folders.append(folder)
            found.stamps[folder] = (status.st_mtime_ns, 0)
            below = sorted(_read_folder(found, folder), reverse=True)
        except OSError as error:
            found.complain(folder, "unreadable folder", shorten(str(error.strerror)), "a folder", "problem")
            continue
        pending += [path for path in below if not (root / path).is_symlink()]
        linked += [path for path in reversed(below) if (root / path).is_symlink()]
    for names in (found.videos, found.sounds, found.texts, found.tables, found.folders):
        names.sort()
    found.images.sort(key=lambda images: images.path)
    return found


def _read_folder(found: Scan, folder: str) -> list[str]:
    """File the entries of one folder; returns the folders in it."""
    prefix = "" if folder == "." else f"{folder}/"
    below, rows, odd_images = [], [], []
    with os.scandir(found.root / folder) as entries:
        for entry in entries:
            name = entry.name
            if name.endswith(".jpg") and IMAGE_NAME.fullmatch(name):
                rows.append(int(name[:5]))
            elif name.startswith(".") or name in IGNORED_FOLDERS:
                continue
            elif _is_folder(entry):
                below.append(prefix + name)
            elif ODD_IMAGE_NAME.fullmatch(name):
                odd_images.append(name)
            else:
                _file_entry(found, prefix + name, entry)
    if folder.rpartition("/")[2] in LSD_FOLDERS:
        return below  # stills under names of their own, not the rows of a track
    if rows:
        found.images.append(ImageFolder(folder, np.sort(np.array(rows, np.int64))))
    if odd_images:
        found.complain(
            folder, "image names", f"{len(odd_images)} such as {min(odd_images)}", "five digits and .jpg"
        )
    return below


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _file_entry(found: Scan, path: str, entry: os.DirEntry) -> None:
    """File one path by its suffix; a link that leads nowhere is remembered as absent."""
    kind = KINDS.get(path[path.rfind(".") :].lower())
    try:
        status = entry.stat()
    except OSError:
        found.complain(path, "dangling link", "nothing behind it", "a file or a folder", "problem")
        found.stamps[path] = ABSENT
        return
    if kind is None:
        return
    if not stat.S_ISREG(status.st_mode):
        found.complain(path, "not a file", "a device or a pipe", "a file")
        return
    getattr(found, kind).append(path)
    found.stamps[path] = (status.st_mtime_ns, status.st_size)
    if kind == "sounds" and not status.st_size:
        found.complain(path, "empty sound", "0 bytes", "a sound", "problem")


def changed(root: Path, stamps: Mapping[str, Sequence[int]]) -> str | None:
    """The first path whose stamp is no longer what it was, or None: the index still stands."""
    for path, stamp in stamps.items():
        try:
            status = os.stat(root / path)  # noqa: PTH116 - thousands of calls on the way to the first step
        except OSError:
            if tuple(stamp) == ABSENT:
                continue
            return path
        is_folder = stat.S_ISDIR(status.st_mode)
        if (status.st_mtime_ns, 0 if is_folder else status.st_size) != tuple(stamp):
            return path
    return None
