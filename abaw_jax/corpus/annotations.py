"""Label files of one track: VA, EXPR and AU of every edition, recognised by their header line.

Data line k is the label of image `{k:05d}.jpg`. Rows are masked, never dropped: whatever is wrong with a
line, rows in equal rows out. A file of plain numbers is read at once; anything else (blank lines,
spaces, odd tokens, a wrong field count) goes through a line reader that can say what is wrong.
Both end in the same checks.
"""

import codecs
import dataclasses
import functools
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

from abaw_jax import labels
from abaw_jax.problems import Problem, UnusableFile, shorten

NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
PLAIN_BYTES = b"0123456789.,-+eE\n"

Labels = dict[str, np.ndarray]
"""`va` float64 [t, 2], `expr` int8 [t], `au` int8 [t, 12], each with its `_mask`; masked rows hold the
official markers (-5, -1, -1)."""


@dataclasses.dataclass(frozen=True)
class LabelFile:
    """The labels of one track for one task, and what was wrong with the file."""

    task: str
    labels: Labels
    problems: tuple[Problem, ...] = ()

    @property
    def rows(self) -> int:
        """Data lines, blank ones apart."""
        return len(self.labels[self.task])


@dataclasses.dataclass(frozen=True)
class Table:
    """Numbers as they stand in the file; NaN where a token or a whole line could not be read."""

    values: Float[np.ndarray, "t f"]
    lines: Int[np.ndarray, " t"]
    problems: tuple[Problem, ...] = ()


def read_labels(path: str | Path) -> LabelFile:
    """Read a VA, EXPR or AU file. Raises UnusableFile where the header is none of these."""
    path = Path(path)
    return parse_labels(path.read_bytes(), str(path))


def parse_labels(data: bytes, name: str) -> LabelFile:
    """`read_labels` on bytes; `name` is what messages call the file."""
    header, body = split_header(data)
    kind, task = recognise(header, name)
    if kind != "labels" or task == "mtl":
        raise UnusableFile(
            Problem(name, 1, "not a track's label file", shorten(header), "a VA, EXPR or AU header")
        )
    table = read_table(body, labels.LABEL_FIELDS[task], name)
    found, problems = MEANING[task](table.values, table.lines, name)
    return LabelFile(task, found, table.problems + problems)


def format_labels(task: str, found: Labels) -> bytes:
    """The file that `parse_labels` reads back: the organisers' header, LF, markers under the mask."""
    if task == "va":
        rows = (
            f"{v!r},{a!r}" if ok else "-5,-5"
            for (v, a), ok in zip(found["va"].tolist(), found["va_mask"].tolist(), strict=True)
        )
    elif task == "expr":
        rows = map(str, np.where(found["expr_mask"], found["expr"], labels.EXPR_INVALID).tolist())
    else:
        values = np.where(found["au_mask"], found["au"], labels.AU_INVALID)
        rows = (",".join(map(str, row)) for row in values.tolist())
    return "\n".join([labels.LABEL_HEADERS[task], *rows, ""]).encode()


def split_header(data: bytes) -> tuple[bytes, bytes]:
    """Line 1 and the rest, without byte-order mark, with LF line ends."""
    data = data.removeprefix(codecs.BOM_UTF8)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    header, _, body = data.partition(b"\n")
    return header.strip(), body


@functools.cache
def _known_headers() -> dict[str, tuple[str, str]]:
    known = {header: ("sample", task) for task, header in labels.SUBMISSION_HEADERS.items()}
    known |= {header: ("labels", task) for task, header in labels.LABEL_HEADERS.items()}
    known[labels.LSD_HEADER] = ("lsd", "expr")
    return {_fold(header.encode()): kind for header, kind in known.items()}


def _fold(header: bytes) -> str:
    return header.decode("utf-8", "replace").replace(" ", "").strip().rstrip(",").lower()


def recognise(header: bytes, name: str) -> tuple[str, str]:
    """(kind, task) of a header line: kind is labels, sample or lsd. Unknown headers raise UnusableFile."""
    folded = _fold(header)
    if folded in _known_headers():
        return _known_headers()[folded]
    for legacy, reason in labels.LEGACY_HEADERS.items():
        if folded == legacy.lower():
            raise UnusableFile(Problem(name, 1, "legacy header", reason, "8 expressions or 12 action units"))
    expected = " | ".join(labels.LABEL_HEADERS.values())
    raise UnusableFile(Problem(name, 1, "unknown header", shorten(header), f"one of: {expected}"))


def read_table(body: bytes, fields: int, name: str) -> Table:
    """Comma-separated numbers, `fields` a line."""
    values = _read_plain(body, fields)
    if values is not None:
        return Table(values, np.arange(2, len(values) + 2))
    return _read_lines(body, fields, name)


def _read_plain(body: bytes, fields: int) -> Float[np.ndarray, "t f"] | None:
    """The fast reader: None unless every line is exactly `fields` plain numbers.

    The separators are found and counted in numpy and taken out; Arrow casts what lies between them (two
    calls a file, on this thread: its CSV reader hands every block to another and waits).
    """
    if not body:
        return np.empty((0, fields))
    if body.translate(None, PLAIN_BYTES):
        return None
    body = body if body.endswith(b"\n") else body + b"\n"
    text = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero((text == ord(",")) | (text == ord("\n")))
    is_line_end = text[ends] == ord("\n")
    rows, rest = divmod(len(ends), fields)
    if rest or is_line_end.sum() != rows or not is_line_end[fields - 1 :: fields].all():
        return None
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends - np.arange(len(ends))
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(body.translate(None, b",\n"))]
    try:
        values = pc.cast(pa.Array.from_buffers(pa.utf8(), len(ends), buffers), pa.float64())
    except pa.ArrowInvalid:
        return None
    return np.array(values.to_numpy().reshape(rows, fields), order="F")  # the checks run down the columns


def data_lines(body: bytes, name: str) -> tuple[list[tuple[int, bytes]], list[Problem]]:
    """(line number, line) of all lines that say something; a blank line amid others is noted."""
    lines = [line.strip() for line in body.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    kept = [(number, line) for number, line in enumerate(lines, start=2) if line]
    blanks = [number for number, line in enumerate(lines, start=2) if not line]
    notes = [
        Problem(name, n, "blank line", "nothing", "a row; the line is not counted", "note") for n in blanks
    ]
    return kept, notes


def split_fields(line: bytes, fields: int) -> list[bytes]:
    """The fields of a line, less the empty ones that trailing commas add."""
    tokens = [token.strip() for token in line.split(b",")]
    while len(tokens) > fields and not tokens[-1]:
        tokens.pop()
    return tokens


def parse_number(token: bytes) -> float | None:
    """A decimal number in ASCII digits, or None. Narrower than float(): no nan, inf or underscores."""
    return float(token) if NUMBER.fullmatch(token) else None


def _read_lines(body: bytes, fields: int, name: str) -> Table:
    """The careful reader: one line at a time, each fault with its place."""
    kept, problems = data_lines(body, name)
    values = np.full((len(kept), fields), np.nan)
    for row, (number, line) in enumerate(kept):
        tokens = split_fields(line, fields)
        if len(tokens) != fields:
            expected = f"{fields} fields" if fields > 1 else "1 field"
            problems.append(
                Problem(name, number, "wrong field count", f"{len(tokens)} in {shorten(line)}", expected)
            )
            continue
        for column, token in enumerate(tokens):
            parsed = parse_number(token)
            if parsed is None:
                problems.append(Problem(name, number, "not a number", shorten(token), "a decimal number"))
            else:
                values[row, column] = parsed
    return Table(values, np.array([number for number, _ in kept], np.int64), tuple(problems))


def _complain(rows: np.ndarray, values: np.ndarray, lines: np.ndarray, name: str, kind: str, expected: str):
    return tuple(
        Problem(name, int(lines[row]), kind, ",".join(f"{value:g}" for value in values[row]), expected)
        for row in rows
    )


def va_meaning(values: Float[np.ndarray, "t 2"], lines: Int[np.ndarray, " t"], name: str):
    """Both values in [-1, 1], or the row is masked; only `-5,-5` is masked in silence."""
    valid = (np.abs(values[:, 0]) <= labels.VA_RANGE[1]) & (np.abs(values[:, 1]) <= labels.VA_RANGE[1])
    (masked,) = np.nonzero(~valid)
    odd = values[masked]
    wrong = masked[~(odd == labels.VA_INVALID).all(axis=1) & ~np.isnan(odd).any(axis=1)]
    problems = _complain(wrong, values, lines, name, "VA out of range", "both in [-1, 1], or -5,-5")
    values[masked] = labels.VA_INVALID
    return {"va": values, "va_mask": valid}, problems


def expr_meaning(values: Float[np.ndarray, "t 1"], lines: Int[np.ndarray, " t"], name: str):
    """A class id 0..7, or the row is masked; only -1 is masked in silence."""
    ids = values[:, 0]
    valid = (ids >= 0) & (ids < len(labels.EXPRESSIONS)) & (ids == np.floor(ids))
    wrong = np.flatnonzero(~valid & (ids != labels.EXPR_INVALID) & ~np.isnan(ids))
    problems = _complain(wrong, values, lines, name, "unknown expression", "an id 0..7, or -1")
    return {"expr": np.where(valid, ids, labels.EXPR_INVALID).astype(np.int8), "expr_mask": valid}, problems


def au_meaning(values: Float[np.ndarray, "t 12"], lines: Int[np.ndarray, " t"], name: str):
    """0 or 1 each, masked one by one; a row is -1 throughout or not at all, anything between is reported."""
    valid: Bool[np.ndarray, "t 12"] = (values == 0) | (values == 1)
    (masked,) = np.nonzero(~np.logical_and.reduce(valid, axis=1))
    odd = values[masked]
    missing = odd == labels.AU_INVALID
    unreadable = np.isnan(odd)
    wrong = (~valid[masked] & ~missing & ~unreadable).any(axis=1)
    half = missing.any(axis=1) & ~missing.all(axis=1) & ~wrong
    problems = _complain(masked[wrong], values, lines, name, "AU out of range", "0, 1 or -1")
    problems += _complain(masked[half], values, lines, name, "half-invalid AU row", "twelve -1 or none")
    return {"au": np.where(valid, values, labels.AU_INVALID).astype(np.int8), "au_mask": valid}, problems


MEANING = {"va": va_meaning, "expr": expr_meaning, "au": au_meaning}
