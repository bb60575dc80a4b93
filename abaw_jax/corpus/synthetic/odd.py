"""The odd cases of real downloads, all of them in size `tiny`: bytes, labels, images and sounds."""

import re
from pathlib import Path

import numpy as np

from abaw_jax import labels as facts
from abaw_jax.corpus.annotations import Labels
from abaw_jax.corpus.synthetic.annotate import mask_va
from abaw_jax.corpus.synthetic.cast import Part

TOKENS = ((0.038, -0.0421), (0.5, 0.0), (0.123456789012, 1.23456789012e-05))
ABSENT_FROM_VALIDATION = facts.EXPRESSIONS.index("Fear")
LATE_FACE_ROWS = 300
SPARSE_SHARE = 0.07
SILENT_VIDEO = "451"
"""Neither its container nor the folder of sounds has any sound of it."""
SOUND_SHORTER_S = 5.0
SOUND_LONGER_S = 2.0


def odd_labels(part: Part, labels: Labels) -> None:
    """Labels as only a few real tracks have them, in place."""
    labels["va"][: len(TOKENS)] = TOKENS
    if part.name == "7-60-640x360":
        mask_va(labels, 3, 9)
        labels["expr"][20:23] = 4, 2, 4  # runs of one row
        labels["expr_mask"][20:23] = True
    elif part.name == "102-30-640x360":
        mask_va(labels, 40, 60)
    elif part.name == "118-30-640x480":
        mask_va(labels, part.rows - 12, part.rows)
    elif part.name == "493":
        _mask_expr(labels, np.ones(part.rows, bool))
    elif part.name == "video10_1_left":
        labels["au"][30:50] = facts.AU_INVALID
        labels["au_mask"][30:50] = False
    if part.splits.get("expr") == "validation":
        _mask_expr(labels, labels["expr"] == ABSENT_FROM_VALIDATION)


def _mask_expr(labels: Labels, rows: np.ndarray) -> None:
    labels["expr"][rows] = facts.EXPR_INVALID
    labels["expr_mask"][rows] = False


def odd_bytes(label_files: list[Path]) -> None:
    """CRLF, a byte-order mark, no final newline, blank lines: one file each; a Finder file beside them."""
    by_end = {"/".join(path.parts[-3:]): path for path in label_files}

    def change(task: str, name: str, change_bytes) -> None:
        path = next(p for end, p in by_end.items() if end.startswith(task) and end.endswith(f"/{name}.txt"))
        path.write_bytes(change_bytes(path.read_bytes()))

    change("VA", "7-60-640x360", lambda data: data.replace(b"\n", b"\r\n"))
    change("EXPR", "102", lambda data: b"\xef\xbb\xbf" + data)
    change("AU", "5-60-640x360-1", lambda data: data.removesuffix(b"\n"))
    change("VA", "493", lambda data: re.sub(rb"\A((?:.*\n){11})", rb"\1\n", data) + b"\n")
    change("AU", "451", lambda data: data.replace(b"\n", b",\n"))
    (label_files[0].parent / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")


def odd_images(folder: Path, part: Part) -> None:
    """A face found late, one hardly ever found, a truncated image, a Finder file."""
    if part.name == "5-60-640x360-1":
        for row in range(1, LATE_FACE_ROWS + 1):
            (folder / f"{row:05d}.jpg").unlink(missing_ok=True)
    elif part.name == "video2_left":
        for row in np.flatnonzero(part.rng("sparse").random(part.rows) >= SPARSE_SHARE) + 1:
            (folder / f"{row:05d}.jpg").unlink(missing_ok=True)
    elif part.name == "451":
        (folder / f"{part.rows:05d}.jpg").write_bytes((folder / "00001.jpg").read_bytes())
    elif part.name == "7-60-640x360":
        image = next(folder.glob("0001*.jpg"))
        image.write_bytes(image.read_bytes()[:-700])
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")


def odd_sound(video: str, sound: np.ndarray, sample_rate_hz: int) -> np.ndarray | None:
    """A sound that ends 5 s early, one that goes on for 2 s, and none."""
    if video == "493":
        return sound[: -round(SOUND_SHORTER_S * sample_rate_hz)]
    if video == "86":
        return np.concatenate([sound, np.zeros(round(SOUND_LONGER_S * sample_rate_hz), sound.dtype)])
    return None if video == SILENT_VIDEO else sound
