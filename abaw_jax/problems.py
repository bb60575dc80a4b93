"""What a reader finds wrong with a file: one sentence with file, line, found and expected."""

import dataclasses
from collections.abc import Collection


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing in one place that is not as it should be.

    A `problem` was skipped or masked; a `note` was read as meant and is worth knowing.
    """

    path: str
    line: int | None
    kind: str
    found: str
    expected: str
    level: str = "problem"

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line is not None else self.path
        return f"{place}: {self.kind}: found {self.found}, expected {self.expected}"


class UnusableFile(ValueError):
    """A file that cannot be read as what it claims to be; carries the Problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def one_of(key: str, found: str, known: Collection[str]) -> str:
    """`found`, if it is known; an unknown word is an error that says for which key, and what there is."""
    if found not in known:
        raise ValueError(f"{key}: found {found!r}, expected one of: {', '.join(known)}")
    return found


def shorten(text: str | bytes, limit: int = 60) -> str:
    """A token from a file as it may stand in a message: printable, quoted, of bounded length."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    quoted = repr(text)
    return quoted if len(quoted) <= limit else f"{quoted[: limit - 4]}...{quoted[-1]}"
