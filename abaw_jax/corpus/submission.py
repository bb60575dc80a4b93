"""Predictions in the organisers' format: written from arrays in the order of the sample file.

From the 5th edition on all tracks go into one file with an image column; the 3rd wanted one file a track
under the header of the training files.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from abaw_jax import labels as facts
from abaw_jax.corpus.image_lists import ImageList

LAYOUTS = ("single", "per_track")
VA_DECIMALS = 6

Decisions = Mapping[str, np.ndarray]
"""`va` float [n, 2], `expr` ids [n], `au` 0 or 1 [n, 12], in the order of the sample's rows."""


def write_submission(path: Path, sample: ImageList, decisions: Decisions, layout: str = "single") -> None:
    """Write exactly the sample's rows in its order: a file, or with `per_track` a folder of files."""
    if layout not in LAYOUTS:
        raise ValueError(f"no layout {layout!r}; expected one of: {', '.join(LAYOUTS)}")
    if layout == "per_track":
        refuse_mtl_folders(sample)
    check_decisions(sample, decisions)
    values = _formatted(sample.task, decisions)
    if layout == "single":
        names = sample.names()
        lines = [f"{name},{value}" for name, value in zip(names, values, strict=True)]
        _replace(path, "\n".join([facts.SUBMISSION_HEADERS[sample.task], *lines, ""]))
        return
    path.mkdir(parents=True, exist_ok=True)
    for index, track in enumerate(sample.tracks):
        rows = np.flatnonzero(sample.track == index)
        rows = rows[np.argsort(sample.row[rows], kind="stable")]
        lines = [facts.LABEL_HEADERS[sample.task], *(values[row] for row in rows), ""]
        _replace(path / f"{track}.txt", "\n".join(lines))


def refuse_mtl_folders(sample: ImageList) -> None:
    """A file a track has no image column, and MTL rows are no row numbers: the frames would be lost."""
    if sample.task == "mtl":
        raise ValueError("MTL rows are sparse: they cannot be told apart in the layout of one file a track")


def check_decisions(sample: ImageList, decisions: Decisions) -> None:
    """Every value there, finite and in range; the error names the first row that is not."""
    allowed = {
        "va": lambda x: np.abs(x) <= facts.VA_RANGE[1],
        "expr": lambda x: (x >= 0) & (x < len(facts.EXPRESSIONS)) & (x == np.floor(x)),
        "au": lambda x: (x == 0) | (x == 1),
    }
    expected = {"va": "both in [-1, 1]", "expr": "an id 0..7", "au": "twelve 0 or 1"}
    for task in facts.PARTS[sample.task]:
        values = np.asarray(decisions[task], float)
        if len(values) != len(sample):
            raise ValueError(f"{len(values)} predictions of {task} for {len(sample)} rows of the sample")
        wrong = ~allowed[task](values)
        wrong = wrong.any(axis=1) if wrong.ndim == 2 else wrong
        if wrong.any():
            first = int(wrong.argmax())
            name = f"{sample.tracks[sample.track[first]]}/{sample.row[first]:05d}.jpg"
            raise ValueError(
                f"{int(wrong.sum())} rows of {task} are not to be submitted; the first is {name}: "
                f"found {values[first]}, expected {expected[task]}"
            )


def _formatted(task: str, decisions: Decisions) -> list[str]:
    """The text behind the image name of every row."""
    columns = []
    for part in facts.PARTS[task]:
        values = np.asarray(decisions[part])
        if part == "va":
            pairs = (np.round(values.astype(float), VA_DECIMALS) + 0.0).tolist()
            columns.append([f"{v:.{VA_DECIMALS}f},{a:.{VA_DECIMALS}f}" for v, a in pairs])
        elif part == "expr":
            columns.append([str(value) for value in values.astype(int).tolist()])
        else:
            columns.append([",".join(map(str, row)) for row in values.astype(int).tolist()])
    return [",".join(row) for row in zip(*columns, strict=True)]


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected the name of a file")
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="ascii", newline="\n")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
