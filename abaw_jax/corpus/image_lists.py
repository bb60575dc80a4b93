"""Files that name their images: MTL labels, the organisers' sample files, predictions, test lists, LSD lists.

Every data line begins with `<track>/<row>.jpg`; what follows the first comma is labels, an example, or
nothing. Names from files are checked before they may become part of a path.
"""

import dataclasses
import re
from itertools import compress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int

from abaw_jax import labels
from abaw_jax.corpus.annotations import (
    MEANING,
    Labels,
    data_lines,
    parse_number,
    recognise,
    split_fields,
    split_header,
)
from abaw_jax.problems import Problem, UnusableFile, shorten

TRACK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
IMAGE = (
    r"\A[A-Za-z0-9][A-Za-z0-9._-]*/"
    r"(?:0000[1-9]|000[1-9][0-9]|00[1-9][0-9]{2}|0[1-9][0-9]{3}|[1-9][0-9]{4})\.jpg\z"
)
"""Rows count from 1. In the dialect of RE2, which Arrow matches with."""
LSD_IMAGE = re.compile(r"(?:[A-Za-z]+/)?[A-Za-z0-9_-]+\.(?:jpg|png)")


@dataclasses.dataclass(frozen=True)
class ImageList:
    """Rows of tracks in the order of the file; `labels` where the file has any."""

    task: str
    tracks: tuple[str, ...]
    track: Int[np.ndarray, " n"]
    row: Int[np.ndarray, " n"]
    labels: Labels | None = None
    problems: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.row)

    def names(self) -> list[str]:
        """`<track>/<row>.jpg` of every line."""
        return [
            f"{self.tracks[t]}/{r:05d}.jpg"
            for t, r in zip(self.track.tolist(), self.row.tolist(), strict=True)
        ]


def read_image_list(path: str | Path) -> ImageList:
    """Read a sample file, a predictions file or an MTL label file."""
    path = Path(path)
    return parse_image_list(path.read_bytes(), str(path))


def parse_image_list(data: bytes, name: str) -> ImageList:
    """`read_image_list` on bytes; `name` is what messages call the file."""
    header, body = split_header(data)
    kind, task = recognise(header, name)
    if kind == "lsd" or (kind == "labels" and task != "mtl"):
        raise UnusableFile(
            Problem(
                name, 1, "not a list of images", shorten(header), "a header that begins with an image column"
            )
        )
    kept, problems = data_lines(body, name)
    lines = np.array([number for number, _ in kept], np.int64)
    names, rest = _partition([line for _, line in kept])
    is_image, tracks, track, row = _parse_images(names)
    problems += [
        Problem(name, int(lines[i]), "not an image name", shorten(names[i]), "<track>/<5 digits>.jpg")
        for i in np.flatnonzero(~is_image)
    ]
    lines, rest = lines[is_image], list(compress(rest, is_image))
    if task == "mtl" and any(rest):
        found, wrong = _mtl_labels(rest, lines, name)
    else:
        found, wrong = None, []
    return ImageList(task, tracks, track, row, found, (*problems, *wrong))


def _partition(lines: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The text before the first comma of each line, and the rest without its trailing commas."""
    parts = [line.partition(b",") for line in lines]
    return [head.strip() for head, _, _ in parts], [rest.strip(b", \t") for _, _, rest in parts]


def _parse_images(names: list[bytes]) -> tuple[np.ndarray, tuple[str, ...], np.ndarray, np.ndarray]:
    """(which names are images of a track, track names, track index of those, their rows)."""
    column = pa.array(names, pa.binary())
    is_image = pc.match_substring_regex(column, IMAGE)
    column = column.filter(is_image)
    folders = pc.binary_slice(column, 0, -len("/00001.jpg")).dictionary_encode()
    row = pc.cast(pc.cast(pc.binary_slice(column, -9, -4), pa.string()), pa.int32())
    tracks = tuple(folder.decode() for folder in folders.dictionary.to_pylist())
    track = folders.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    return (
        is_image.to_numpy(zero_copy_only=False).astype(bool),
        tracks,
        track,
        row.to_numpy(zero_copy_only=False),
    )


def _mtl_labels(rest: list[bytes], lines: np.ndarray, name: str) -> tuple[Labels, list[Problem]]:
    """Valence, arousal, expression and twelve AUs after the image; each masked by its own rules."""
    fields = labels.LABEL_FIELDS["mtl"] - 1
    values = np.full((len(rest), fields), np.nan)
    problems = []
    for row, text in enumerate(rest):
        tokens = split_fields(text, fields)
        parsed = [parse_number(token) for token in tokens]
        if len(tokens) != fields:
            found = f"{len(tokens) + 1} in {shorten(text)}"
            problems.append(
                Problem(name, int(lines[row]), "wrong field count", found, f"{fields + 1} fields")
            )
        else:
            problems += [
                Problem(name, int(lines[row]), "not a number", shorten(token), "a decimal number")
                for token, number in zip(tokens, parsed, strict=True)
                if number is None
            ]
            values[row] = [np.nan if number is None else number for number in parsed]
    found: Labels = {}
    for task, columns in (("va", slice(0, 2)), ("expr", slice(2, 3)), ("au", slice(3, fields))):
        part, wrong = MEANING[task](np.asfortranarray(values[:, columns]), lines, name)
        found |= part
        problems += wrong
    return found, problems


def read_test_list(path: str | Path) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """Track names, one a line, without header and extension."""
    path = Path(path)
    header, body = split_header(path.read_bytes())
    kept, problems = data_lines(body, str(path))
    names: dict[str, None] = {}
    for number, line in [(1, header), *kept]:
        text = line.decode("utf-8", "replace").rstrip(",").strip()
        if TRACK_NAME.fullmatch(text) and text not in names:
            names[text] = None
        else:
            kind = "repeated track" if text in names else "not a track name"
            problems.append(Problem(str(path), number, kind, shorten(text), "one track a line"))
    return tuple(names), tuple(problems)


@dataclasses.dataclass(frozen=True)
class StillList:
    """An LSD list (4th edition): image names and, where the file has them, class ids 0..5 (-1: none)."""

    images: tuple[str, ...]
    expr: Int[np.ndarray, " n"]
    problems: tuple[Problem, ...] = ()


def read_lsd_list(path: str | Path) -> StillList:
    """Read `image,expression` lines."""
    path = Path(path)
    header, body = split_header(path.read_bytes())
    if recognise(header, str(path))[0] != "lsd":
        raise UnusableFile(Problem(str(path), 1, "unknown header", shorten(header), labels.LSD_HEADER))
    kept, problems = data_lines(body, str(path))
    images, ids = [], []
    for number, line in kept:
        image, _, rest = line.decode("utf-8", "replace").partition(",")
        rest = rest.strip(", \t")
        if not LSD_IMAGE.fullmatch(image.strip()):
            problems.append(Problem(str(path), number, "not an image name", shorten(image), "a .jpg or .png"))
            continue
        known = rest in {str(i) for i in range(len(labels.LSD_EXPRESSIONS))}
        if rest and not known:
            problems.append(Problem(str(path), number, "unknown expression", shorten(rest), "an id 0..5"))
        images.append(image.strip())
        ids.append(int(rest) if known else labels.EXPR_INVALID)
    return StillList(tuple(images), np.array(ids, np.int8), tuple(problems))
