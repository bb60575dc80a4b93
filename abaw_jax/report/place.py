"""A table in a file of somebody's own: between two markers, and nowhere else a byte is touched."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

BEGIN, BEGIN_END = b"<!-- results", b"-->"
END = b"<!-- end of results -->"


def replace_between_markers(file: Path, lines: Sequence[str]) -> None:
    """What stands between the markers becomes these lines; the file is whole at any moment."""
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file; expected one with the markers of results")
    old = file.read_bytes().splitlines(keepends=True)
    begin, end = _markers(file, old)
    newline = b"\r\n" if old[begin].endswith(b"\r\n") else b"\n"
    new = [line.encode() + newline for line in ("", *lines, "")]
    _write(file.resolve(), b"".join([*old[: begin + 1], *new, *old[end:]]))


def _markers(file: Path, lines: Sequence[bytes]) -> tuple[int, int]:
    """Which line begins and which ends the results."""
    begins = [i for i, x in enumerate(lines) if x.startswith(BEGIN) and x.rstrip().endswith(BEGIN_END)]
    ends = [i for i, line in enumerate(lines) if line.rstrip() == END]
    if len(begins) == len(ends) == 1 and begins[0] < ends[0]:
        return begins[0], ends[0]
    found = ", ".join(
        f"line {i + 1}: {lines[i].decode(errors='replace').strip()}" for i in sorted(begins + ends)
    )
    raise ValueError(
        f"{file}: found {found or 'no markers'}; expected one line '<!-- results: abaw results FOLDER -->' "
        f"and below it one line '{END.decode()}'"
    )


def _write(file: Path, content: bytes) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        shutil.copymode(file, part)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
