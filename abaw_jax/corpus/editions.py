"""Which edition and which split a file belongs to, from where the organisers and participants put it.

The task comes from the file's header, never from its folder; the edition and the split are said nowhere
but in the path. Table 1.3 of the field's folder names: first a number beside `ABAW`, then the shape of
the tree.
"""

import functools
import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

NUMBER = re.compile(
    r"(?<![0-9a-z])([0-9]{1,2})(?:st|nd|rd|th)?[ _-]*abaw|abaw[ _-]*([0-9]{1,2})(?:st|nd|rd|th)?(?![0-9])"
)
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5}
NEWEST_WITH_TRACKS = 10
NEWEST_MTL = 11
SET_FOLDERS = frozenset({"va_set", "expr_set", "au_set"})
TASK_OR_SPLIT_FOLDER = re.compile(r"(?:va|expr|au|mtl)_.*|.*_set|train|val", re.IGNORECASE)
FOLD_FOLDER = re.compile(r"(?:fold|split)[ _-]?[0-9]+", re.IGNORECASE)

SPLITS = {
    "train": "train",
    "train_set": "train",
    "training": "train",
    "training_set": "train",
    "training_set_annotations": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "validation_set": "validation",
    "validation_set_annotations": "validation",
}
"""Folder or file names that the organisers and most participants use; any other folder names itself."""


@functools.cache
def edition_from_name(name: str) -> int | None:
    """The number beside `ABAW` in a folder or file name: `6th_ABAW_Annotations`, `CVPR_5th_ABAW_VA…`."""
    folded = name.lower()
    match = NUMBER.search(folded)
    if match and 1 <= int(match[1] or match[2]) <= NEWEST_MTL:
        return int(match[1] or match[2])
    if "abaw" in folded:
        return next((number for word, number in ORDINALS.items() if word in folded), None)
    return None


def root_names(root: Path) -> tuple[str, ...]:
    """What a root is called: as spelt, where a link leads, and above it where it is a set's folder."""
    spelt = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would follow the link
    above = (
        (spelt.parent.name, spelt.parent.parent.name) if TASK_OR_SPLIT_FOLDER.fullmatch(spelt.name) else ()
    )
    return (spelt.name, root.resolve().name, *above)


def edition_of(
    path: PurePosixPath, roots: Sequence[str], siblings: frozenset[str] = frozenset()
) -> int | None:
    """The edition of an annotation file at `path` below the root; `siblings` are all folders of its set.

    None where neither a name nor the shape of the tree tells.
    """
    parts = [*path.parts[::-1], *roots]
    for part in parts:
        number = edition_from_name(part)
        if number is not None:
            return number
    return _edition_from_shape({part.lower() for part in parts} | {name.lower() for name in siblings}, path)


def _edition_from_shape(names: set[str], path: PurePosixPath) -> int | None:
    if path.stem.lower() in ("training_set_annotations", "validation_set_annotations"):
        if "s-aff-wild2" in names:
            return NEWEST_MTL
        return 7 if "mtl" in names else 4
    if names & SET_FOLDERS:
        return 1 if "training_set" in names else 2
    if "expr_classification_challenge" in names:
        return 3 if "mtl_challenge" in names else 5
    if "mtl_challenge" in names:
        return 3
    if any(re.match(r"(va|expr|au)_.*challenge$", name) for name in names):
        return NEWEST_WITH_TRACKS
    return None


def split_of(path: PurePosixPath, root_name: str = "") -> str:
    """train, validation, test, or the name of the folder that a participant made.

    Within folds of one's own (`fold_0/train`) the split carries the fold's name: it is not the official one.
    """
    fold = next((part for part in path.parts[:-1] if FOLD_FOLDER.fullmatch(part)), None)
    for part in (path.stem, *path.parts[-2::-1]):
        if part == fold:
            return fold.lower()
        if part.lower() in SPLITS:
            return f"{fold.lower()}/{SPLITS[part.lower()]}" if fold else SPLITS[part.lower()]
        if "test" in part.lower().replace("-", "_").split("_"):
            return "test"
    own = (path.parts[-2] if len(path.parts) > 1 else root_name).lower()
    return SPLITS.get(own, own)


def task_of_test_list(name: str) -> str | None:
    """The task that a test list's file name speaks of (these lists have no header)."""
    folded = name.lower()
    for start, task in (("valence", "va"), ("expression", "expr"), ("action", "au"), ("multi", "mtl")):
        if folded.startswith(start):
            return task
    found = re.search(r"(?:^|_)(va|expr|au|mtl)(?:_|$)", folded)
    return found[1] if found else None
