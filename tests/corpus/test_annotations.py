"""Label files: every byte-level shape that downloads have, and a slow reader to agree with."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abaw_jax import labels as facts
from abaw_jax.corpus.annotations import LabelFile, format_labels, parse_labels, read_labels
from abaw_jax.problems import UnusableFile

TASKS = ("va", "expr", "au")
ROWS = {"va": b"0.038,-0.0421", "expr": b"3", "au": b"0,0,0,0,1,1,1,0,0,0,1,0"}


def file_of(task: str, *rows: bytes, end: bytes = b"\n") -> bytes:
    return end.join([facts.LABEL_HEADERS[task].encode(), *rows, b""])


def only_problem(parsed: LabelFile):
    (problem,) = parsed.problems
    return problem


def test_va_tokens_of_every_length_are_exact():
    tokens = [
        b"0.038,-0.0421",
        b"0.5,0.0",
        b"0.123456789012,1.23456789012e-05",
        b"-5,-5",
        b"1,-1",
        b".5,-.5",
        b"+1,1.",
        b"1e-3,-1E+0",
    ]
    parsed = parse_labels(file_of("va", *tokens), "f.txt")
    expected = [
        [0.038, -0.0421],
        [0.5, 0.0],
        [0.123456789012, 1.23456789012e-05],
        [-5, -5],
        [1, -1],
        [0.5, -0.5],
        [1, 1],
        [1e-3, -1],
    ]
    np.testing.assert_array_equal(parsed.labels["va"], expected)
    np.testing.assert_array_equal(parsed.labels["va_mask"], [True, True, True, False, True, True, True, True])
    assert parsed.problems == ()


def test_expr_has_one_value_under_eight_names():
    parsed = parse_labels(file_of("expr", b"-1", b"0", b"7", b"3"), "f.txt")
    np.testing.assert_array_equal(parsed.labels["expr"], [-1, 0, 7, 3])
    np.testing.assert_array_equal(parsed.labels["expr_mask"], [False, True, True, True])
    assert parsed.problems == ()


def test_au_rows_are_masked_one_by_one():
    parsed = parse_labels(file_of("au", ROWS["au"], b",".join([b"-1"] * 12)), "f.txt")
    assert parsed.labels["au"][0].tolist() == [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 0]
    assert parsed.labels["au_mask"].all(axis=1).tolist() == [True, False]
    assert parsed.problems == ()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("crlf", lambda data: data.replace(b"\n", b"\r\n")),
        ("byte-order mark", lambda data: b"\xef\xbb\xbf" + data),
        ("no final newline", lambda data: data.removesuffix(b"\n")),
        ("blank lines at the end", lambda data: data + b"\n\r\n \n"),
        ("trailing commas", lambda data: data.replace(b"\n", b",\n")),
        ("spaces", lambda data: data.replace(b",", b", ").replace(b"\n", b" \n")),
        (
            "header in capitals",
            lambda data: data.split(b"\n", 1)[0].upper() + b"\n" + data.split(b"\n", 1)[1],
        ),
    ],
)
def test_harmless_bytes_change_nothing(task: str, name: str, change):
    data = file_of(task, ROWS[task], ROWS[task])
    plain, changed = parse_labels(data, "f.txt"), parse_labels(change(data), "f.txt")
    assert changed.problems == (), name
    for key, values in plain.labels.items():
        np.testing.assert_array_equal(changed.labels[key], values)


def test_a_blank_line_between_rows_is_noted_and_is_no_row():
    parsed = parse_labels(file_of("va", b"0.1,0.1", b"", b"0.2,0.2"), "f.txt")
    assert parsed.rows == 2
    problem = only_problem(parsed)
    assert (problem.line, problem.kind, problem.level) == (3, "blank line", "note")


@pytest.mark.parametrize(
    ("task", "row", "kind", "found", "expected"),
    [
        ("va", b"0.1,1.5", "VA out of range", "0.1,1.5", "both in [-1, 1], or -5,-5"),
        ("va", b"-5,0.5", "VA out of range", "-5,0.5", "both in [-1, 1], or -5,-5"),
        ("va", b"0.1", "wrong field count", "1 in '0.1'", "2 fields"),
        ("va", b"0.1,0.2,0.3", "wrong field count", "3 in '0.1,0.2,0.3'", "2 fields"),
        ("va", b"0.1,nan", "not a number", "'nan'", "a decimal number"),
        ("va", b"0.1,1_0", "not a number", "'1_0'", "a decimal number"),
        ("va", b"0.1,inf", "not a number", "'inf'", "a decimal number"),
        ("va", b"0.1,1e999", "VA out of range", "0.1,inf", "both in [-1, 1], or -5,-5"),
        ("expr", b"8", "unknown expression", "8", "an id 0..7, or -1"),
        ("expr", b"2.5", "unknown expression", "2.5", "an id 0..7, or -1"),
        ("expr", b"1,2", "wrong field count", "2 in '1,2'", "1 field"),
        ("au", b"0,0,0,0,1,1,1,0,0,0,1,2", "AU out of range", "0,0,0,0,1,1,1,0,0,0,1,2", "0, 1 or -1"),
        (
            "au",
            b"0,0,0,-1,1,1,1,0,0,0,1,1",
            "half-invalid AU row",
            "0,0,0,-1,1,1,1,0,0,0,1,1",
            "twelve -1 or none",
        ),
        ("au", b"0,0,0,1", "wrong field count", "4 in '0,0,0,1'", "12 fields"),
    ],
)
def test_a_bad_row_is_reported_and_masked_and_stays(
    task: str, row: bytes, kind: str, found: str, expected: str
):
    parsed = parse_labels(file_of(task, ROWS[task], row, ROWS[task]), "some/f.txt")
    assert str(only_problem(parsed)) == f"some/f.txt:3: {kind}: found {found}, expected {expected}"
    assert parsed.rows == 3
    mask = parsed.labels[f"{task}_mask"]
    good = mask if mask.ndim == 1 else mask.all(axis=1)
    assert good.tolist() == [True, False, True]


def test_fields_never_move_from_one_row_to_the_next():
    parsed = parse_labels(file_of("va", b"0.1", b"0.2,0.3,0.4"), "f.txt")
    assert [(p.line, p.kind) for p in parsed.problems] == [(2, "wrong field count"), (3, "wrong field count")]
    assert parsed.labels["va_mask"].tolist() == [False, False]


def test_only_the_missing_units_of_a_half_invalid_row_are_masked():
    parsed = parse_labels(file_of("au", b"0,0,0,-1,1,1,1,0,0,0,1,1"), "f.txt")
    assert np.flatnonzero(~parsed.labels["au_mask"][0]).tolist() == [3]


@pytest.mark.parametrize("legacy", facts.LEGACY_HEADERS)
def test_headers_of_the_first_editions_are_refused_by_name(legacy: str):
    with pytest.raises(
        UnusableFile, match=r"f\.txt:1: legacy header: found (7 expression classes|8 action units)"
    ):
        parse_labels(f"{legacy}\n0\n".encode(), "f.txt")


@pytest.mark.parametrize("data", [b"", b"\n", b"hello\n1\n", b"0.1,0.2\n", b"\x00\xff"])
def test_anything_else_is_no_label_file(data: bytes):
    with pytest.raises(UnusableFile, match=r"f\.txt:1: unknown header: found .*valence,arousal"):
        parse_labels(data, "f.txt")


def test_a_header_alone_is_a_track_without_rows(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"valence,arousal\n")
    assert read_labels(tmp_path / "a.txt").rows == 0


# Properties. The slow reader below knows nothing of the fast one.


@dataclasses.dataclass
class Slow:
    """Row by row, with float() and if."""

    values: list
    masks: list


def slow_read(task: str, data: bytes) -> Slow | None:
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    header, *lines = data.replace(b"\r\n", b"\n").split(b"\n")
    header = header.strip().decode("utf-8", "replace").replace(" ", "").strip().rstrip(",").lower()
    if header != facts.LABEL_HEADERS[task].lower():
        return None
    fields = facts.LABEL_FIELDS[task]
    slow = Slow([], [])
    for line in lines:
        if not line.strip():
            continue
        tokens = [token.strip() for token in line.strip().split(b",")]
        while len(tokens) > fields and tokens[-1] == b"":
            del tokens[-1]
        row = [slow_number(token) for token in tokens] if len(tokens) == fields else [None] * fields
        if task == "va":
            ok = None not in row and all(-1 <= x <= 1 for x in row)
            slow.values.append(row if ok else [-5.0, -5.0])
            slow.masks.append(ok)
        elif task == "expr":
            ok = row[0] in (0, 1, 2, 3, 4, 5, 6, 7)
            slow.values.append(int(row[0]) if ok else -1)
            slow.masks.append(ok)
        else:
            slow.values.append([int(x) if x in (0, 1) else -1 for x in row])
            slow.masks.append([x in (0, 1) for x in row])
    return slow


def slow_number(token: bytes) -> float | None:
    text = token.decode("latin-1")
    if not text or any(c not in "0123456789+-.eE" for c in text):
        return None
    try:
        return float(text)
    except ValueError:
        return None


def assert_agrees(task: str, data: bytes) -> None:
    slow = slow_read(task, data)
    if slow is None:
        with pytest.raises(UnusableFile):
            parse_labels(data, "f.txt")
        return
    parsed = parse_labels(data, "f.txt")
    assert parsed.task == task
    assert parsed.labels[task].tolist() == slow.values
    assert parsed.labels[f"{task}_mask"].tolist() == slow.masks


def token_of(number: float) -> st.SearchStrategy[str]:
    return st.sampled_from([repr(number), f"{number:.3f}", f"{number:.12e}", f"{number:+.5f}"])


UNIT = st.floats(-1, 1).flatmap(token_of)
VALID_ROW = {
    "va": st.one_of(st.tuples(UNIT, UNIT).map(",".join), st.just("-5,-5")),
    "expr": st.integers(-1, 7).map(str),
    "au": st.one_of(
        st.lists(st.sampled_from("01"), min_size=12, max_size=12).map(",".join),
        st.just(",".join(["-1"] * 12)),
    ),
}
ODD_BYTES = st.sampled_from(
    [bytes([b]) for b in b"0123456789.,-+eE\n\r \t_nai;x\x00\xef\xff"]
    + [b"\r\n", b"\n\n", b",,", b"\xef\xbb\xbf"]
)
EDIT = st.tuples(st.sampled_from(("insert", "delete", "replace")), st.floats(0, 1), ODD_BYTES)


@st.composite
def mutated_file(draw, task: str) -> bytes:
    rows = draw(st.lists(VALID_ROW[task], max_size=6))
    data = file_of(task, *(row.encode() for row in rows))
    lowest = draw(st.sampled_from((0, len(facts.LABEL_HEADERS[task]) + 1)))  # mostly spare the header
    for kind, where, odd in draw(st.lists(EDIT, max_size=4)):
        at = min(len(data), lowest + int(where * (len(data) - lowest + 1)))
        data = data[:at] + (odd if kind != "delete" else b"") + data[at + (kind != "insert") :]
    return data


def check_round_trip(task: str, rows: list[str]) -> None:
    first = parse_labels(file_of(task, *(row.encode() for row in rows)), "f.txt")
    again = parse_labels(format_labels(task, first.labels), "g.txt")
    assert first.problems == again.problems == ()
    assert first.rows == len(rows)
    for key, values in first.labels.items():
        assert values.tolist() == again.labels[key].tolist()


RELAXED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


@pytest.mark.parametrize("task", TASKS)
def test_valid_files_round_trip(task: str):
    given(st.lists(VALID_ROW[task], max_size=30))(
        settings(max_examples=100, **RELAXED)(lambda rows: check_round_trip(task, rows))
    )()


@pytest.mark.parametrize("task", TASKS)
def test_mutated_files_are_read_as_the_slow_reader_reads_them(task: str):
    given(mutated_file(task))(settings(max_examples=300, **RELAXED)(lambda data: assert_agrees(task, data)))()


@pytest.mark.parametrize("task", TASKS)
def test_random_bytes_under_a_header_are_read_as_the_slow_reader_reads_them(task: str):
    body = st.lists(ODD_BYTES, max_size=40).map(b"".join)
    head = file_of(task)
    given(body)(settings(max_examples=300, **RELAXED)(lambda data: assert_agrees(task, head + data)))()


@pytest.mark.full
@pytest.mark.parametrize("task", TASKS)
def test_thousands_of_files_agree_with_the_slow_reader(task: str):
    many = settings(max_examples=2500, **RELAXED)
    head = file_of(task)
    given(mutated_file(task))(many(lambda data: assert_agrees(task, data)))()
    given(st.binary(max_size=60))(many(lambda data: assert_agrees(task, head + data)))()
    given(st.lists(VALID_ROW[task], max_size=60))(many(lambda rows: check_round_trip(task, rows)))()
