"""Lists of images: MTL labels, samples, test lists, LSD lists; and a slow reader to agree with."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abaw_jax import labels as facts
from abaw_jax.corpus.image_lists import parse_image_list, read_lsd_list, read_test_list
from abaw_jax.problems import UnusableFile

MTL = facts.LABEL_HEADERS["mtl"].encode()
ROW = b"video45_1/00001.jpg,0.5,-0.1,4,0,0,0,1,1,1,1,0,0,0,1,0"


def test_mtl_has_sixteen_fields_under_five_names():
    parsed = parse_image_list(MTL + b"\n" + ROW + b"\n", "f.txt")
    assert (parsed.task, parsed.tracks, parsed.row.tolist()) == ("mtl", ("video45_1",), [1])
    assert parsed.labels["va"].tolist() == [[0.5, -0.1]]
    assert parsed.labels["expr"].tolist() == [4]
    assert parsed.labels["au"].tolist() == [[0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0]]


def test_mtl_rows_may_be_valid_for_some_tasks_or_none():
    rows = [
        b"a/00001.jpg,-5,-5,3," + b",".join([b"-1"] * 12),
        b"a/00009.jpg,-5,-5,-1," + b",".join([b"-1"] * 12),
    ]
    parsed = parse_image_list(b"\n".join([MTL, *rows, b""]), "f.txt")
    assert parsed.labels["va_mask"].tolist() == [False, False]
    assert parsed.labels["expr_mask"].tolist() == [True, False]
    assert not parsed.labels["au_mask"].any()
    assert parsed.problems == ()


@pytest.mark.parametrize("task", ["va", "expr", "au", "mtl"])
@pytest.mark.parametrize("values", [b",", b"", b",0.5,-0.5", b",0"])
def test_both_body_styles_of_sample_files(task: str, values: bytes):
    if task == "mtl" and values not in (b",", b""):
        return
    data = b"\n".join(
        [
            facts.SUBMISSION_HEADERS[task].encode(),
            b"2-30-640x360/00001.jpg" + values,
            b"x/00003.jpg" + values,
            b"",
        ]
    )
    parsed = parse_image_list(data, "f.txt")
    assert parsed.task == task
    assert parsed.names() == ["2-30-640x360/00001.jpg", "x/00003.jpg"]
    assert parsed.labels is None
    assert parsed.problems == ()


@pytest.mark.parametrize(
    "name",
    [
        b"../../etc/00001.jpg",
        b"/etc/00001.jpg",
        b"a/b/00001.jpg",
        b"a/1.jpg",
        b"a/00000.jpg",
        b".a/00001.jpg",
        b"a/00001.png",
        b"a\\b/00001.jpg",
        b"00001.jpg",
        b"a/00001.jpg.exe",
        b"",
    ],
)
def test_names_that_are_no_image_of_a_track_never_pass(name: bytes):
    parsed = parse_image_list(b"\n".join([MTL, ROW, name + b",1", ROW, b""]), "f.txt")
    assert parsed.tracks == ("video45_1",)
    assert len(parsed) == 2
    assert [(p.line, p.kind) for p in parsed.problems] == [(3, "not an image name")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            b"a/00001.jpg,0.5,-0.1,4",
            "f.txt:2: wrong field count: found 4 in '0.5,-0.1,4', expected 16 fields",
        ),
        (
            ROW.replace(b"0.5", b"1.5"),
            "f.txt:2: VA out of range: found 1.5,-0.1, expected both in [-1, 1], or -5,-5",
        ),
        (ROW.replace(b",4,", b",9,"), "f.txt:2: unknown expression: found 9, expected an id 0..7, or -1"),
        (ROW.replace(b"0.5", b"x"), "f.txt:2: not a number: found 'x', expected a decimal number"),
    ],
)
def test_a_bad_mtl_row_is_masked_and_reported(row: bytes, message: str):
    parsed = parse_image_list(MTL + b"\n" + row + b"\n", "f.txt")
    assert [str(problem) for problem in parsed.problems] == [message]
    assert len(parsed.labels["va"]) == 1
    masks = [parsed.labels[f"{task}_mask"].all() for task in ("va", "expr", "au")]
    assert not all(masks)


def test_a_track_file_is_no_list_of_images():
    with pytest.raises(UnusableFile, match="not a list of images"):
        parse_image_list(b"valence,arousal\n0.1,0.2\n", "f.txt")


def test_test_lists_have_one_track_a_line(tmp_path):
    path = tmp_path / "test.txt"
    path.write_bytes(b"10-60-1280x720\r\n10-60-1280x720_right\r\nvideo2_left\r\n")
    assert read_test_list(path) == (("10-60-1280x720", "10-60-1280x720_right", "video2_left"), ())
    path.write_bytes(b"a\nb\na\n../c")
    names, problems = read_test_list(path)
    assert names == ("a", "b")
    assert [(p.line, p.kind) for p in problems] == [(3, "repeated track"), (4, "not a track name")]


def test_lsd_lists_with_and_without_classes(tmp_path):
    path = tmp_path / "LSD_Challenge_test_set_release.txt"
    path.write_text("image,expression\n0.jpg,\n1.jpg,5\nANGRER/2.jpg,0\n../x.jpg,1\n3.jpg,7\n")
    stills = read_lsd_list(path)
    assert stills.images == ("0.jpg", "1.jpg", "ANGRER/2.jpg", "3.jpg")
    assert stills.expr.tolist() == [-1, 5, 0, -1]
    assert [(p.line, p.kind) for p in stills.problems] == [
        (5, "not an image name"),
        (6, "unknown expression"),
    ]


def slow_read(data: bytes) -> list | None:
    """(track, row, va, expr, aus) of every line that names an image; None where the header is another."""
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    header, *lines = data.replace(b"\r\n", b"\n").split(b"\n")
    if header.strip().decode("utf-8", "replace").replace(" ", "").strip().rstrip(",").lower() != MTL.decode():
        return None
    found = []
    for line in lines:
        name, _, rest = line.strip().partition(b",")
        track, _, image = name.strip().rpartition(b"/")
        start = track[:1].isalnum() and track[:1].isascii()
        if not (start and all(chr(c).isascii() and (chr(c).isalnum() or c in b"._-") for c in track)):
            continue
        if len(image) != 9 or image[5:] != b".jpg" or not image[:5].isdigit() or image[:5] == b"00000":
            continue
        tokens = [token.strip() for token in rest.strip(b", \t").split(b",")]
        numbers = [slow_number(token) for token in tokens] if len(tokens) == 15 else [None] * 15
        va = numbers[:2] if all(x is not None and -1 <= x <= 1 for x in numbers[:2]) else [-5.0, -5.0]
        expr = int(numbers[2]) if numbers[2] in range(8) else -1
        found.append(
            (track.decode(), int(image[:5]), va, expr, [int(x) if x in (0, 1) else -1 for x in numbers[3:]])
        )
    return found


def slow_sample(data: bytes, task: str) -> list | None:
    """(track, row) of every line that names an image, whatever stands behind it."""
    header, newline, body = data.partition(b"\n")
    known = facts.SUBMISSION_HEADERS[task].lower()
    text = header.removeprefix(b"\xef\xbb\xbf").strip().decode("utf-8", "replace").replace(" ", "").strip()
    if text.rstrip(",").lower() != known:
        return None
    found = slow_read(MTL + newline + body)
    return [line[:2] for line in found]


def assert_sample_agrees(data: bytes, task: str) -> None:
    slow = slow_sample(data, task)
    if slow is None:
        with pytest.raises(UnusableFile):
            parse_image_list(data, "f.txt")
        return
    parsed = parse_image_list(data, "f.txt")
    assert parsed.task == task
    assert parsed.labels is None
    assert list(zip([parsed.tracks[i] for i in parsed.track], parsed.row.tolist(), strict=True)) == slow


def slow_number(token: bytes) -> float | None:
    try:
        return float(token) if token and not set(token) - set(b"0123456789+-.eE") else None
    except ValueError:
        return None


def assert_agrees(data: bytes) -> None:
    slow = slow_read(data)
    if slow is None:
        try:
            assert parse_image_list(data, "f.txt").task != "mtl"
        except UnusableFile:
            return
        return
    parsed = parse_image_list(data, "f.txt")
    empty = np.full((len(parsed), 2), -5.0), np.full(len(parsed), -1), np.full((len(parsed), 12), -1)
    values = [parsed.labels[task] for task in ("va", "expr", "au")] if parsed.labels else empty
    tracks = [parsed.tracks[i] for i in parsed.track]
    assert list(zip(tracks, parsed.row.tolist(), *(v.tolist() for v in values), strict=True)) == slow


ODD = st.sampled_from(
    [bytes([b]) for b in b"0123456789.,-+eE\n\r \t_nagj/\\;x\x00\xef\xff"] + [b"\r\n", b"\n\n", b",,", b"/0"]
)
EDIT = st.tuples(st.sampled_from(("insert", "delete", "replace")), st.floats(0, 1), ODD)
LINE = st.tuples(
    st.sampled_from(["a", "video10_1_left", "5-60-640x360-1"]),
    st.integers(1, 47435),
    st.sampled_from(["0.1,-0.25", "-5,-5", "1e-05,1"]),
    st.integers(-1, 7),
    st.sampled_from([",".join(["-1"] * 12), ROW.decode()[-23:]]),
).map(lambda line: f"{line[0]}/{line[1]:05d}.jpg,{line[2]},{line[3]},{line[4]}".encode())


@st.composite
def mutated_list(draw, header: bytes = MTL) -> bytes:
    data = b"\n".join([header, *draw(st.lists(LINE, max_size=6)), b""])
    lowest = draw(st.sampled_from((0, len(header) + 1)))
    for kind, where, odd in draw(st.lists(EDIT, max_size=4)):
        at = min(len(data), lowest + int(where * (len(data) - lowest + 1)))
        data = data[:at] + (odd if kind != "delete" else b"") + data[at + (kind != "insert") :]
    return data


RELAXED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


def test_mutated_lists_are_read_as_the_slow_reader_reads_them():
    given(mutated_list())(settings(max_examples=300, **RELAXED)(assert_agrees))()


def test_random_bytes_under_a_header_are_read_as_the_slow_reader_reads_them():
    body = st.lists(ODD, max_size=40).map(b"".join)
    given(body)(settings(max_examples=300, **RELAXED)(lambda data: assert_agrees(MTL + b"\n" + data)))()


@pytest.mark.parametrize("task", ["va", "expr", "au"])
def test_mutated_samples_are_read_as_the_slow_reader_reads_them(task: str):
    made = mutated_list(facts.SUBMISSION_HEADERS[task].encode())
    given(made)(settings(max_examples=100, **RELAXED)(lambda data: assert_sample_agrees(data, task)))()


@pytest.mark.full
@pytest.mark.parametrize("task", ["va", "expr", "au"])
def test_thousands_of_samples_agree_with_the_slow_reader(task: str):
    made = mutated_list(facts.SUBMISSION_HEADERS[task].encode())
    given(made)(settings(max_examples=2500, **RELAXED)(lambda data: assert_sample_agrees(data, task)))()


@pytest.mark.full
def test_thousands_of_lists_agree_with_the_slow_reader():
    many = settings(max_examples=2500, **RELAXED)
    given(mutated_list())(many(assert_agrees))()
    given(st.binary(max_size=60))(many(lambda data: assert_agrees(MTL + b"\n" + data)))()
