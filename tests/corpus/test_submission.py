"""The organisers' format: written exactly, and anybody's file judged."""

from pathlib import Path

import numpy as np
import pytest

from abaw_jax import labels as facts
from abaw_jax.corpus.image_lists import ImageList, parse_image_list, read_image_list
from abaw_jax.corpus.submission import write_submission
from abaw_jax.corpus.validation import validate
from abaw_jax.labels import PARTS

NAMES = [("b", 1), ("b", 2), ("b", 3), ("a", 1), ("a", 2)]
"""Not in the order of the alphabet: the sample's order counts."""


def sample_of(task: str) -> ImageList:
    lines = [facts.SUBMISSION_HEADERS[task], *(f"{track}/{row:05d}.jpg," for track, row in NAMES), ""]
    return parse_image_list("\n".join(lines).encode(), "sample.txt")


def decisions(task: str) -> dict[str, np.ndarray]:
    n = len(NAMES)
    every = {
        "va": np.linspace(-1, 1, 2 * n).reshape(n, 2).astype(np.float32),
        "expr": np.arange(n),
        "au": (np.arange(12 * n).reshape(n, 12) % 3 == 0),
    }
    return {part: every[part] for part in PARTS[task]}


@pytest.mark.parametrize("task", facts.TASKS)
def test_a_written_file_has_the_samples_rows_and_is_valid(task: str, tmp_path: Path):
    path = tmp_path / "predictions.txt"
    write_submission(path, sample_of(task), decisions(task))
    lines = path.read_text().split("\n")
    assert lines[0] == facts.SUBMISSION_HEADERS[task]
    assert [line.partition(",")[0] for line in lines[1:-1]] == [f"{t}/{r:05d}.jpg" for t, r in NAMES]
    assert lines[-1] == ""
    assert validate(path, sample_of(task)) == []
    assert list(tmp_path.iterdir()) == [path]


def test_the_bytes_of_each_task(tmp_path: Path):
    sample = sample_of("va")
    va = np.array([[0.123456789, -0.0], [1, -1], [-1e-9, 0.5], [0, 0], [0, 0]])
    write_submission(tmp_path / "va.txt", sample, {"va": va})
    assert (tmp_path / "va.txt").read_text().split("\n")[1:4] == [
        "b/00001.jpg,0.123457,0.000000", "b/00002.jpg,1.000000,-1.000000", "b/00003.jpg,0.000000,0.500000",
    ]  # fmt: skip
    write_submission(tmp_path / "mtl.txt", sample_of("mtl"), decisions("mtl"))
    assert (tmp_path / "mtl.txt").read_text().split("\n")[
        1
    ] == "b/00001.jpg,-1.000000,-0.777778,0,1,0,0,1,0,0,1,0,0,1,0,0"


def test_mtl_predictions_are_read_back_as_labels(tmp_path: Path):
    write_submission(tmp_path / "mtl.txt", sample_of("mtl"), decisions("mtl"))
    found = read_image_list(tmp_path / "mtl.txt").labels
    np.testing.assert_allclose(found["va"], decisions("mtl")["va"], atol=5e-7)
    np.testing.assert_array_equal(found["expr"], decisions("mtl")["expr"])
    np.testing.assert_array_equal(found["au"], decisions("mtl")["au"])


@pytest.mark.parametrize(
    ("task", "part", "value", "message"),
    [
        (
            "va",
            "va",
            np.nan,
            r"1 rows of va .* the first is b/00003\.jpg: found \[.*nan\], expected both in \[-1, 1\]",
        ),
        ("va", "va", 1.001, r"b/00003\.jpg"),
        ("expr", "expr", 8, r"b/00003\.jpg: found 8\.0, expected an id 0\.\.7"),
        ("expr", "expr", -1, r"expected an id 0\.\.7"),
        ("au", "au", 2, r"expected twelve 0 or 1"),
        ("mtl", "au", np.nan, r"1 rows of au"),
    ],
)
def test_values_out_of_range_are_not_written(
    task: str, part: str, value: float, message: str, tmp_path: Path
):
    given = decisions(task)
    given[part] = given[part].astype(float)
    given[part][2, ...] = value if part == "expr" else given[part][2]
    if part != "expr":
        given[part][2, -1] = value
    with pytest.raises(ValueError, match=message):
        write_submission(tmp_path / "x.txt", sample_of(task), given)
    assert not (tmp_path / "x.txt").exists()


def test_too_few_predictions_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="4 predictions of expr for 5 rows of the sample"):
        write_submission(tmp_path / "x.txt", sample_of("expr"), {"expr": np.zeros(4, int)})


def test_the_third_editions_layout_is_a_file_a_track(tmp_path: Path):
    write_submission(tmp_path / "out", sample_of("au"), decisions("au"), layout="per_track")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.txt", "b.txt"]
    lines = (tmp_path / "out" / "b.txt").read_text().split("\n")
    assert lines[0] == facts.LABEL_HEADERS["au"]
    assert lines[1:] == ["1,0,0,1,0,0,1,0,0,1,0,0"] * 3 + [""]
    assert validate(tmp_path / "out", sample_of("au")) == []


HEADER = facts.SUBMISSION_HEADERS["va"]
GOOD = [HEADER, *(f"{t}/{r:05d}.jpg,0.1,0.2" for t, r in NAMES)]


QUOTED = '"image_location","valence","arousal"'


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (GOOD, None),
        ([QUOTED, *GOOD[1:]], f"x:1: wrong header: found {QUOTED!r}, expected {HEADER!r}"),
        (GOOD[:-2], "x: missing row: found a/00001.jpg (and 1 more), expected all 5 rows of the sample"),
        (
            [*GOOD, "c/00001.jpg,0,0"],
            "x:7: row not in the sample: found 'c/00001.jpg', expected only rows of",
        ),
        ([*GOOD, GOOD[1]], "x:7: repeated row: found 'b/00001.jpg', expected every row once"),
        (
            [HEADER, GOOD[2], GOOD[1], *GOOD[3:]],
            "x:3: row out of order: found b/00001.jpg behind b/00002.jpg",
        ),
        ([*GOOD[:2], "b/00002.jpg,0.1", *GOOD[3:]], "x:3: wrong field count: found 1 in '0.1', expected 2"),
        ([*GOOD[:2], "b/00002.jpg,nan,0", *GOOD[3:]], "x:3: not a number: found 'nan', expected a decimal"),
        (
            [HEADER, *(f"{line[:11]},1.5,0" for line in GOOD[1:])],
            "x:2: VA out of range: found 1.5,0 (and 4 more)",
        ),
        ([*GOOD[:2], "", *GOOD[2:]], "x:3: blank line: found nothing, expected a row"),
    ],
)
def test_one_line_for_each_kind_of_fault(lines: list[str], expected: str | None, tmp_path: Path):
    path = tmp_path / "x.txt"
    path.write_text("\n".join([*lines, ""]))
    found = [str(problem).replace(str(path), "x") for problem in validate(path, sample_of("va"))]
    assert len(found) == (expected is not None)
    assert all(line.startswith(expected) for line in found)


def test_bytes_that_a_spreadsheet_leaves_are_named(tmp_path: Path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*GOOD, ""]).encode())
    assert [p.kind for p in validate(path, sample_of("va"))] == ["byte-order mark", "line ends"]


@pytest.mark.parametrize(
    ("task", "value", "kind"),
    [
        ("expr", "8", "unknown expression"),
        ("expr", "2.5", "unknown expression"),
        ("expr", "6.0", "unknown expression"),
        ("au", "1.0" + ",0" * 11, "AU out of range"),
        ("expr", "1,0,0,0,0,0,0,0", "wrong field count"),
        ("au", "0.5" + ",0" * 11, "AU out of range"),
        ("au", "1", "wrong field count"),
    ],
)
def test_classes_and_units_are_checked(task: str, value: str, kind: str, tmp_path: Path):
    path = tmp_path / "x.txt"
    write_submission(path, sample_of(task), decisions(task))
    lines = path.read_text().split("\n")
    lines[2] = f"b/00002.jpg,{value}"
    path.write_text("\n".join(lines))
    assert [(p.line, p.kind) for p in validate(path, sample_of(task))] == [(3, kind)]


def test_faults_of_a_folder_are_named_by_file(tmp_path: Path):
    folder = tmp_path / "out"
    write_submission(folder, sample_of("va"), decisions("va"), layout="per_track")
    (folder / "a.txt").write_text("valence,arousal\n0.1,0.2\n")
    (folder / "b.txt").unlink()
    (folder / "c.txt").write_text("")
    found = [str(p).replace(f"{folder}", "out") for p in validate(folder, sample_of("va"))]
    assert found == [
        "out: missing file: found b.txt, expected one file for every track",
        "out/a.txt: wrong number of rows: found 1, expected 2",
        "out: file of no track: found c.txt, expected only tracks of the sample",
    ]


def test_sparse_rows_have_no_layout_of_a_file_a_track(tmp_path: Path):
    with pytest.raises(ValueError, match="MTL rows are sparse"):
        write_submission(tmp_path / "out", sample_of("mtl"), decisions("mtl"), layout="per_track")
    with pytest.raises(ValueError, match="MTL rows are sparse"):
        validate(tmp_path, sample_of("mtl"))
