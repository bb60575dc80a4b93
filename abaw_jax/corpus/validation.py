"""What is wrong with anybody's submission file: one line a kind, with the count and the first place."""

import codecs
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from abaw_jax import labels as facts
from abaw_jax.corpus.annotations import parse_number
from abaw_jax.corpus.image_lists import ImageList
from abaw_jax.corpus.submission import refuse_mtl_folders
from abaw_jax.problems import Problem, shorten


@dataclasses.dataclass
class _Kinds:
    """Problems of one file, one a kind: the first of each, and how many."""

    path: str
    first: dict[str, Problem] = dataclasses.field(default_factory=dict)
    count: dict[str, int] = dataclasses.field(default_factory=dict)

    def add(self, line: int | None, kind: str, found: str, expected: str) -> None:
        self.count[kind] = self.count.get(kind, 0) + 1
        self.first.setdefault(kind, Problem(self.path, line, kind, found, expected))

    def problems(self) -> list[Problem]:
        """The first of each kind, with `(and n more)` behind what was found."""
        return [
            problem
            if self.count[kind] == 1
            else dataclasses.replace(problem, found=f"{problem.found} (and {self.count[kind] - 1:,} more)")
            for kind, problem in self.first.items()
        ]


def validate(path: Path, sample: ImageList) -> list[Problem]:
    """Problems of a submission file, or of a folder with one file a track; empty where there are none."""
    if path.is_dir():
        refuse_mtl_folders(sample)
        return _validate_folder(path, sample)
    kinds = _Kinds(str(path))
    lines = _lines(path, facts.SUBMISSION_HEADERS[sample.task], kinds)
    wanted = sample.names()
    places: dict[str, list[int]] = {}
    for at, name in enumerate(wanted):
        places.setdefault(name, []).append(at)
    seen: Counter[str] = Counter()
    check = CHECKS[sample.task]
    previous = -1
    for number, text in lines:
        name, _, values = text.partition(",")
        if name not in places:
            kinds.add(number, "row not in the sample", shorten(name), "only rows of the sample")
        elif seen[name] == len(places[name]):
            kinds.add(number, "repeated row", shorten(name), "every row once")
        else:
            at = places[name][seen[name]]
            if at < previous:
                kinds.add(
                    number, "row out of order", f"{name} behind {wanted[previous]}", "the sample's order"
                )
            seen[name] += 1
            previous = max(previous, at)
        check(values, number, kinds)
    for name in (name for name in wanted if name not in seen):
        kinds.add(None, "missing row", name, f"all {len(wanted):,} rows of the sample")
    return kinds.problems()


def _validate_folder(folder: Path, sample: ImageList) -> list[Problem]:
    """The layout of the 3rd edition: a file a track, as many lines as the sample has rows of it."""
    kinds = _Kinds(str(folder))
    rows = [int((sample.track == index).sum()) for index in range(len(sample.tracks))]
    for track, count in zip(sample.tracks, rows, strict=True):
        path = folder / f"{track}.txt"
        if not path.is_file():
            kinds.add(None, "missing file", path.name, "one file for every track")
            continue
        in_file = _Kinds(str(path))
        lines = list(_lines(path, facts.LABEL_HEADERS[sample.task], in_file))
        if len(lines) != count:
            in_file.add(None, "wrong number of rows", f"{len(lines)}", f"{count}")
        for number, text in lines:
            CHECKS[sample.task](text, number, in_file)
        for kind, problem in in_file.first.items():
            kinds.count[kind] = kinds.count.get(kind, 0) + in_file.count[kind]
            kinds.first.setdefault(kind, problem)
    for path in sorted(folder.glob("*.txt")):
        if path.stem not in sample.tracks:
            kinds.add(None, "file of no track", path.name, "only tracks of the sample")
    return kinds.problems()


def _lines(path: Path, header: str, kinds: _Kinds) -> Iterator[tuple[int, str]]:
    """(number, text) of the data lines, after a look at the header and at the bytes."""
    data = path.read_bytes()
    if data.startswith(codecs.BOM_UTF8):
        kinds.add(1, "byte-order mark", "EF BB BF", "plain ASCII")
        data = data.removeprefix(codecs.BOM_UTF8)
    if b"\r" in data:
        kinds.add(1, "line ends", "CR LF", "LF")
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    first, *rest = data.decode("utf-8", "replace").split("\n")
    if first != header:
        kinds.add(1, "wrong header", shorten(first), repr(header))
    if rest and not rest[-1]:
        rest.pop()
    for number, text in enumerate(rest, start=2):
        if text.strip():
            yield number, text
        else:
            kinds.add(number, "blank line", "nothing", "a row")


def _check_fields(text: str, number: int, kinds: _Kinds, count: int) -> list[str] | None:
    """The tokens of a row if they are as many numbers as expected, or None after saying that they are not."""
    tokens = text.split(",") if text else []
    if len(tokens) != count:
        found = f"{len(tokens)} in {shorten(text)}"
        kinds.add(number, "wrong field count", found, f"{count} behind the image name")
        return None
    wrong = next((token for token in tokens if parse_number(token.encode("utf-8", "replace")) is None), None)
    if wrong is not None:
        kinds.add(number, "not a number", shorten(wrong), "a decimal number")
        return None
    return tokens


def _check_va(tokens: list[str], number: int, kinds: _Kinds) -> None:
    if any(abs(float(token)) > facts.VA_RANGE[1] for token in tokens):
        kinds.add(number, "VA out of range", ",".join(tokens), "both in [-1, 1]")


def _check_expr(tokens: list[str], number: int, kinds: _Kinds) -> None:
    if tokens[0] not in CLASS_IDS:
        kinds.add(number, "unknown expression", tokens[0], "an id 0..7, as an integer")


def _check_au(tokens: list[str], number: int, kinds: _Kinds) -> None:
    if not BINARY.issuperset(tokens):
        kinds.add(number, "AU out of range", ",".join(tokens), "0 or 1 each, as integers")


CLASS_IDS = frozenset(map(str, range(len(facts.EXPRESSIONS))))
BINARY = frozenset("01")


def _checker(count: int, *parts: tuple[slice, Callable]) -> Callable[[str, int, _Kinds], None]:
    def check(text: str, number: int, kinds: _Kinds) -> None:
        tokens = _check_fields(text, number, kinds, count)
        for columns, look in parts if tokens is not None else ():
            look(tokens[columns], number, kinds)

    return check


CHECKS = {
    "va": _checker(2, (slice(0, 2), _check_va)),
    "expr": _checker(1, (slice(0, 1), _check_expr)),
    "au": _checker(12, (slice(0, 12), _check_au)),
    "mtl": _checker(15, (slice(0, 2), _check_va), (slice(2, 3), _check_expr), (slice(3, 15), _check_au)),
}
