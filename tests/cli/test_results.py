"""`abaw results`: cards to a table, seeds to a mean, a table into a file and nothing else of it."""

import json
from pathlib import Path

import pytest

from abaw_jax.cli import main

BEGIN = "<!-- results: abaw results runs -->"
END = "<!-- end of results -->"
CLIP = {"video": {"encoder": "tiny-clip", "view": None}}


def write_card(folder: Path, value: float = 0.5, **changes) -> Path:
    """As training leaves it."""
    card = {
        "config": "va", "task": "va", "seed": 0,
        "streams": CLIP | {"audio": {"encoder": "mfcc", "view": "last"}},
        "score": {"name": "va", "value": value, "low": value - 0.1, "high": value + 0.2}, "intervals": {},
        "rows": 100, "tracks": 4, "parameters": 1234, "seconds": 60.4, "step": 10, "steps": 20,
        "commit": "abc",
        "standards": {
            "floor": {"va": {"score": 0.0, "low": 0, "high": 0}}, "ceiling": {"va": {"score": 0.9}},
            "window, both": {"va": {"score": 0.8, "low": 0.7, "high": 0.9}},
        },
        "workdir": str(folder), "files": {},
    }  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps(card | changes))
    return folder / "card.json"


def table(capsys, *folders: Path) -> list[list[str]]:
    """Cells of every system."""
    assert main(["results", *map(str, folders)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| system | task | features | score")
    assert lines[0].count("|") == lines[1].count("|") == 12
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_a_run_is_a_line(tmp_path: Path, capsys):
    write_card(tmp_path / "runs" / "va")
    assert table(capsys, tmp_path / "runs") == [
        [
            "va", "va", "video: tiny-clip; audio: mfcc (last)", "0.500 (0.400 to 0.700), 1 seed",
            "0.000", "0.800", "0.900", "62 %", "1,234", "60", "abc",
        ]
    ]  # fmt: skip


def test_what_was_changed_of_a_config_stands_beside_its_name(tmp_path: Path, capsys):
    flags = ["--config.synthetic.size=evidence", "--config.seed=1", "--config.text.share=0.0"]
    write_card(tmp_path / "runs" / "va", flags=flags)
    assert table(capsys, tmp_path / "runs")[0][0] == "va (text.share=0.0)"


def test_what_authors_report_is_told_and_marked_as_theirs(tmp_path: Path, capsys):
    write_card(tmp_path / "runs" / "a", config="va_soft_prompt")
    write_card(tmp_path / "runs" / "b", 0.4)
    assert main(["results", str(tmp_path / "runs")]) == 0
    head, rule, theirs, ours = capsys.readouterr().out.splitlines()
    assert head.endswith("| commit | authors' score: their data, not here |")
    assert rule.endswith("|---|---|")
    assert theirs.endswith(
        "| abc | CCC 0.53, test of the 10th ABAW, if IMLAB is this team (arXiv 2603.13415) |"
    )
    assert ours.endswith("| abc |  |")


def test_seeds_are_averaged(tmp_path: Path, capsys):
    for seed, (value, seconds) in enumerate([(0.4, 10.0), (0.5, 90.0), (0.9, 30.0)]):
        commit = "abc" if seed else "old+"
        write_card(tmp_path / f"va_{seed}", value, seed=seed, seconds=seconds, commit=commit)
    (line,) = table(capsys, tmp_path)
    assert line[3] == "0.600 (0.500 to 0.800), 3 seeds"
    assert line[7] == "75 %"
    assert line[-2:] == ["30", "old+, abc"]


def test_a_seed_that_was_run_twice_is_one_seed(tmp_path: Path, capsys):
    write_card(tmp_path / "a")
    write_card(tmp_path / "b")
    assert table(capsys, tmp_path, tmp_path / "a")[0][3].endswith("1 seed in 2 runs")


@pytest.mark.parametrize(
    "other",
    [
        {"config": "va2"}, {"streams": CLIP}, {"rows": 99}, {"steps": 21},
        {"streams": CLIP | {"audio": {"encoder": "mfcc", "view": None}}},
        {"flags": ["--config.seed=1", "--config.optimizer.learning_rate=1e-4"]},
    ],
)  # fmt: skip
def test_what_differs_in_more_than_the_seed_is_another_system(other: dict, tmp_path: Path, capsys):
    write_card(tmp_path / "a")
    write_card(tmp_path / "b", seed=1, **other)
    assert len(table(capsys, tmp_path)) == 2


def test_lines_are_sorted_by_task_then_score(tmp_path: Path, capsys):
    for number, (task, value) in enumerate(
        [("mtl", 2.0), ("au", 0.3), ("va", 0.1), ("expr", 0.9), ("va", 0.7), ("au", 0.6)]
    ):
        score = {"name": task, "value": value, "low": 0, "high": 1}
        write_card(tmp_path / str(number), task=task, config=f"c{number}", score=score)
    found = [(line[1], line[3][:5]) for line in table(capsys, tmp_path)]
    assert found == [
        ("va", "0.700"), ("va", "0.100"), ("expr", "0.900"), ("au", "0.600"), ("au", "0.300"),
        ("mtl", "2.000"),
    ]  # fmt: skip


def test_what_is_not_known_is_empty_and_a_cell_stays_a_cell(tmp_path: Path, capsys):
    write_card(tmp_path / "a", standards=None, commit=None, config="a|b\nc")
    (line,) = table(capsys, tmp_path)
    assert line[0] == r"a\|b c"
    assert line[4:8] == ["", "", "", ""] and line[-1] == ""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_into_a_file_and_nowhere_else_in_it(newline: str, tmp_path: Path, capsys):
    write_card(tmp_path / "runs" / "a")
    before = f"# Größe\r\n\tx  {newline}{BEGIN}{newline}".encode() + b"\xff\x00\n"
    after = f"{END}{newline}last line, no newline\r".encode() + b"\xfe"
    readme = tmp_path / "README.md"
    readme.write_bytes(before + b"old\n| table |\n" + after)
    readme.chmod(0o640)
    link = tmp_path / "link.md"
    link.symlink_to(readme)
    assert main(["results", str(tmp_path / "runs"), "--into", str(link)]) == 0
    assert capsys.readouterr().out == f"{link}: 1 systems from 1 runs\n"
    found = readme.read_bytes()
    kept = before.partition(b"\xff")[0]
    assert found.startswith(kept) and found.endswith(after)
    placed = found[len(kept) : -len(after)].decode()
    assert placed.startswith(f"{newline}| system |") and placed.endswith(f"| abc |{newline}{newline}")
    assert placed.count("\n") == placed.count(newline) == 5
    assert link.is_symlink() and readme.stat().st_mode & 0o777 == 0o640
    assert main(["results", str(tmp_path / "runs"), "--into", str(readme)]) == 0
    assert readme.read_bytes() == found
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing\n", "found no markers; expected one line '<!-- results: abaw results FOLDER -->'"),
        (f"{BEGIN}\n", f"found line 1: {BEGIN}; expected"),
        (f"{END}\n{BEGIN}\n", f"found line 1: {END}, line 2: {BEGIN}; expected"),
        (f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n", f"line 3: {BEGIN}, line 4: {END}; expected one line"),
        (f"  {BEGIN}\n{END}\n", f"found line 2: {END}; expected"),
    ],
)
def test_a_file_without_its_markers_is_left_alone(text: str, message: str, tmp_path: Path, capsys):
    write_card(tmp_path / "runs" / "a")
    readme = tmp_path / "README.md"
    readme.write_text(text)
    assert main(["results", str(tmp_path / "runs"), "--into", str(readme)]) == 2
    error = capsys.readouterr().err
    assert f"abaw results: {readme}: found" in error and message in error
    assert readme.read_text() == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "found list, expected an object"),
        ("{}", "key 'config': found nothing, expected the name of a config"),
        ('{"config": "va", "task": "vaa"}', "key 'task': found 'vaa', expected one of va, expr, au, mtl"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_foreign_card_is_named_and_the_others_are_read(text: str, message: str, tmp_path: Path, capsys):
    write_card(tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "card.json").write_text(text)
    assert main(["results", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 3
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith(f"results: {tmp_path / 'bad' / 'card.json'}: ") and message in said.err


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("score", {"value": float("nan"), "low": 0, "high": 1}), ("score", {"value": 1}), ("seed", "0"),
        ("streams", {}), ("streams", {"video": {}}), ("parameters", -1), ("seconds", None), ("rows", True),
        ("standards", {"floor": {"va": 0.0}}), ("commit", 7), ("seconds", 10**400),
    ],
)  # fmt: skip
def test_a_card_with_one_wrong_value_says_which(key: str, value, tmp_path: Path, capsys):
    path = write_card(tmp_path / "a", **{key: value})
    assert main(["results", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert f"{path}: key {key!r}: found " in said.err and said.out == ""


def test_no_good_card_empties_no_file(tmp_path: Path):
    write_card(tmp_path / "a", seed=None)
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}\nkeep\n{END}\n")
    assert main(["results", str(tmp_path), "--into", str(readme)]) == 1
    assert "keep" in readme.read_text()


def test_no_card_at_all(tmp_path: Path, capsys):
    assert main(["results", str(tmp_path)]) == 2
    assert f"{tmp_path}: no card.json there; training writes one" in capsys.readouterr().err
    assert main(["results", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err
    write_card(tmp_path / "a")
    assert main(["results", str(tmp_path), "--into", str(tmp_path / "none.md")]) == 2
    assert "none.md: no such file" in capsys.readouterr().err
