"""The commands as a person types them: what they print, what they write, how they end."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from abaw_jax.cli import COMMANDS, main
from abaw_jax.cli.check import split_table
from abaw_jax.corpus.check import SplitCount
from abaw_jax.corpus.image_lists import read_image_list
from abaw_jax.evaluation import files
from abaw_jax.evaluation.table import RowTable

SAMPLE = "test_release/prediction_files_format/prediction_files_format 2/ABAW_{}_test_set_sample.txt"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def test_check_prints_the_table_then_every_problem(tiny_root: Path, capsys):
    assert main(["check", str(tiny_root)]) == 1
    out = capsys.readouterr().out
    assert re.search(r"va +10 +train +7/356 +955/1,682,057 +929/1,679,857 +3\d\d", out)
    assert re.search(r"7-60-640x360/0001\d\.jpg: broken image: found .*, expected a whole JPEG", out)
    assert "493.txt:12: blank line" in out
    assert "note: leak: 102 is in expr/train (edition 10) and in va/test (edition 10)" in out
    assert out.rstrip().endswith("14 tracks, 1 problem")


def test_check_fits_eighty_columns(tiny_root: Path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    main(["check", str(tiny_root), "--no-images"])
    table = capsys.readouterr().out.split("found/official")[0]
    assert max(len(line) for line in table.split("\n")) <= 80


def test_the_real_corpus_fits_eighty_columns_too(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    counts = (356, 1_682_057, 1_679_857)
    Console().print(split_table((SplitCount("expr", 10, "validation", *counts, 123_456, *counts),)))
    out = capsys.readouterr().out
    assert re.search("356/356 +1,682,057/1,682,057 +1,679,857/1,679,857 +123,456", out)
    assert max(len(line) for line in out.split("\n")) <= 80


def test_check_ends_with_zero_where_nothing_is_wrong(tiny_root: Path, capsys):
    assert main(["check", str(tiny_root), "--no-images"]) == 0
    assert "14 tracks, 0 problems" in capsys.readouterr().out


def test_check_for_machines(tiny_root: Path, capsys):
    assert main(["check", str(tiny_root), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["exit_code"] == 1
    assert report["tracks"] == 14
    va = next(split for split in report["splits"] if (split["task"], split["split"]) == ("va", "train"))
    assert (va["tracks"], va["rows"], va["valid"], va["official_rows"]) == (7, 955, 929, 1_682_057)
    assert [problem["kind"] for problem in report["problems"]] == ["broken image"]
    assert {leak["video"] for leak in report["leaks"]} == {"102", "102-30-640x360", "video10_1"}


def test_check_ends_with_two_where_there_is_nothing(tmp_path: Path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["check", str(tmp_path / "empty")]) == 2
    assert "no label file" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "nowhere")]) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err


def test_check_takes_the_users_word_for_splits(tmp_path: Path, capsys):
    (tmp_path / "root" / "fold_0").mkdir(parents=True)
    (tmp_path / "root" / "fold_0" / "1.txt").write_text("valence,arousal\n0.1,0.2\n")
    main(["check", str(tmp_path / "root"), "--split", "fold_0=validation", "--edition", "6", "--json"])
    (split,) = json.loads(capsys.readouterr().out)["splits"]
    assert (split["split"], split["edition"]) == ("validation", 6)
    assert main(["check", str(tmp_path / "root"), "--split", "fold_0"]) == 2
    assert "--split: found 'fold_0', expected FOLDER=NAME" in capsys.readouterr().err


def predictions(root: Path, path: Path, leave_out: int) -> RowTable:
    """Random predictions of all tasks for the rows of the VA sample, less every `leave_out`th."""
    sample = read_image_list(root / SAMPLE.format("VA"))
    keep = np.arange(len(sample)) % leave_out > 0
    rng = np.random.default_rng(0)
    n = int(keep.sum())
    table = RowTable.build(
        sample.tracks, sample.track[keep], sample.row[keep],
        va=rng.uniform(-1, 1, (n, 2)), expr=rng.dirichlet(np.ones(8), n), au=rng.uniform(size=(n, 12)),
    )  # fmt: skip
    files.write(table, path)
    return table


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_submit_writes_every_row_and_counts_what_it_filled(
    suffix: str, tiny_root: Path, tmp_path: Path, capsys
):
    table = predictions(tiny_root, tmp_path / f"p.{suffix}", leave_out=10)
    sample, out = tiny_root / SAMPLE.format("VA"), tmp_path / "out.txt"
    assert main(["submit", str(tmp_path / f"p.{suffix}"), "--sample", str(sample), "--out", str(out)]) == 0
    assert (
        capsys.readouterr().out == f"{out}: 300 rows of 3 tracks for va\nfilled by rule 'linear': 30 rows\n"
    )
    assert main(["submit", "--validate", str(out), "--sample", str(sample)]) == 0
    assert capsys.readouterr().out == f"{out}: valid, 300 rows of va\n"
    values = np.loadtxt(out, delimiter=",", skiprows=1, usecols=(1, 2))
    kept = np.arange(300) % 10 > 0
    np.testing.assert_allclose(values[kept], table.va, atol=5e-7)
    between = (values[9] + values[11]) / 2
    np.testing.assert_allclose(values[10], between, atol=2e-6)


def test_submit_decides_by_argmax_and_thresholds(tiny_root: Path, tmp_path: Path):
    predictions(tiny_root, tmp_path / "p.parquet", leave_out=7)
    table = files.read(tmp_path / "p.parquet")
    limits = [0.05 * (i + 1) for i in range(12)]
    (tmp_path / "t.json").write_text(json.dumps(limits))
    for task, extra in (("Expr", []), ("AU", ["--thresholds", str(tmp_path / "t.json")])):
        sample = tiny_root / SAMPLE.format(task)
        out = tmp_path / f"{task}.txt"
        main(["submit", str(tmp_path / "p.parquet"), "--sample", str(sample), "--out", str(out), *extra])
        rows = read_image_list(sample)
        values = np.loadtxt(out, delimiter=",", skiprows=1, usecols=range(1, 2 if task == "Expr" else 13))
        for i in range(0, len(rows), 11):
            name, row = rows.tracks[rows.track[i]], rows.row[i]
            if name not in table.tracks:
                continue
            at = np.flatnonzero((table.track == table.tracks.index(name)) & (table.row == row))
            if len(at):
                expected = (
                    table.expr[at[0]].argmax() if task == "Expr" else table.au[at[0]] >= np.float32(limits)
                )
                np.testing.assert_array_equal(values[i], expected)


def test_submit_says_which_tracks_have_no_prediction(tiny_root: Path, tmp_path: Path, capsys):
    table = RowTable.build(["video2"], [0], [1], va=[[0.5, 0.5]])
    files.write(table, tmp_path / "p.parquet")
    main(
        [
            "submit",
            str(tmp_path / "p.parquet"),
            "--sample",
            str(tiny_root / SAMPLE.format("VA")),
            "--out",
            str(tmp_path / "o"),
        ]
    )
    said = capsys.readouterr()
    assert "filled by rule 'linear': 299 rows" in said.out
    assert "no prediction of va at all, now neutral: 102, video2_left" in said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["submit", "--sample", "S"], "give either a table of predictions or --validate FILE"),
        (["submit", "p.parquet", "--sample", "nowhere.txt"], "nowhere.txt"),
        (["submit", "no.csv", "--sample", "S"], "no.csv: no such file; expected a table of predictions"),
        (
            ["submit", "p.parquet", "--sample", "S", "--out", "p.parquet"],
            "would overwrite what it is made from",
        ),
        (["submit", "p.parquet", "--sample", "S", "--out", "."], "is a folder; expected the name of a file"),
        (["submit", "p.parquet", "--sample", "S", "--task", "expr"], "--task expr: the sample is of va"),
        (
            ["submit", "p.parquet", "--sample", "S", "--thresholds", "t.json"],
            "--thresholds is for action units",
        ),
        (
            ["submit", "p.parquet", "--sample", "AU", "--thresholds", "t.json"],
            "t.json: found {'AU1': 0.5}, expected",
        ),
        (["submit", "p.parquet", "--sample", "AU", "--thresholds", "nan.json"], "numbers in [0, 1]"),
        (["submit", "p.parquet", "--sample", "AU", "--thresholds", "S"], "not JSON"),
        (
            ["submit", "other.parquet", "--sample", "S"],
            "no track of the sample is in the table; it has elsewhere",
        ),
        (["submit", "empty.parquet", "--sample", "S"], "the table of predictions has no rows"),
        (["submit", "p.parquet", "--sample", "header.txt"], "header.txt: found no rows"),
        (["submit", "p.xlsx", "--sample", "S"], ".parquet"),
        (["submit", "p.parquet", "--sample", "S", "--fill", "magic"], "no gap filling rule 'magic'"),
        (["submit", "va_only.parquet", "--sample", "AU"], "no predictions of au in the table; it has va"),
        (
            ["submit", "wild.parquet", "--sample", "S"],
            "rows of va are not to be submitted; the first is 102/00001.jpg",
        ),
    ],
)
def test_submit_ends_with_two_and_one_clear_line(
    arguments, message, tiny_root: Path, tmp_path: Path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    predictions(tiny_root, Path("p.parquet"), leave_out=10)
    files.write(RowTable.build(["102"], [0], [1], va=[[0.5, 0.5]]), "va_only.parquet")
    files.write(RowTable.build(["102"], [0], [1], va=[[1.5, 0.5]]), "wild.parquet")
    files.write(RowTable.build(["elsewhere"], [0], [1], va=[[0.5, 0.5]]), "other.parquet")
    files.write(RowTable.build([], [], [], va=np.empty((0, 2))), "empty.parquet")
    Path("t.json").write_text('{"AU1": 0.5}')
    Path("nan.json").write_text("[" + "NaN, " * 11 + "0.5]")
    Path("header.txt").write_text("image_location,valence,arousal\n")
    samples = {"S": str(tiny_root / SAMPLE.format("VA")), "AU": str(tiny_root / SAMPLE.format("AU"))}
    assert main([samples.get(word, word) for word in arguments]) == 2
    (line,) = capsys.readouterr().err.strip().split("\n")
    assert line.startswith("abaw submit: ")
    assert message in line


def test_submit_clips_when_told_to(tiny_root: Path, tmp_path: Path):
    files.write(RowTable.build(["102"], [0], [1], va=[[1.5, 0.5]]), tmp_path / "wild.parquet")
    out = tmp_path / "o.txt"
    sample = str(tiny_root / SAMPLE.format("VA"))
    assert (
        main(["submit", str(tmp_path / "wild.parquet"), "--sample", sample, "--clip", "--out", str(out)]) == 0
    )
    assert out.read_text().split("\n")[1] == "102/00001.jpg,1.000000,0.500000"


def test_validate_ends_with_one_on_a_bad_file(tiny_root: Path, tmp_path: Path, capsys):
    (tmp_path / "bad.txt").write_text("image_location,valence,arousal\n102/00001.jpg,2,0\n")
    assert (
        main(
            [
                "submit",
                "--validate",
                str(tmp_path / "bad.txt"),
                "--sample",
                str(tiny_root / SAMPLE.format("VA")),
            ]
        )
        == 1
    )
    assert [line.split(": ")[1] for line in capsys.readouterr().out.strip().split("\n")] == [
        "VA out of range",
        "missing row",
    ]


def test_the_third_editions_lists_do_for_a_folder_a_task(tiny_root: Path, tmp_path: Path, capsys):
    predictions(tiny_root, tmp_path / "p.parquet", leave_out=10)
    listed = next((tiny_root / "test_release").rglob("Valence*_release.txt"))
    arguments = [
        "submit",
        str(tmp_path / "p.parquet"),
        "--sample",
        str(listed),
        "--layout",
        "per_track",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(arguments) == 2
    assert "a list of test tracks (3rd edition) needs --task" in capsys.readouterr().err
    assert main([*arguments, "--task", "va"]) == 0
    assert len((tmp_path / "out" / "video2.txt").read_text().split("\n")) == 92


def test_synth_makes_scores_and_draws(tmp_path: Path, capsys):
    root = tmp_path / "corpus"
    size = ["--train", "3", "--validation", "2", "--test", "1", "--seconds", "2", "--fps", "12"]
    assert main(["synth", str(root), *size, "--preview", "--stills", "4", "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert f"{root}: 6 tracks, 144 rows, edition 10" in out
    assert re.search(r"window, both +\d\.\d{3} +\d\.\d{3} +\d\.\d{3}", out)
    assert {
        "preview_faces.png",
        "preview_track.png",
        "synthetic.json",
        "LSD_Challenge_test_set_release.txt",
    } <= {p.name for p in root.iterdir()}
    standards = json.loads((root / "synthetic.json").read_text())["standards"]
    assert {"floor", "ceiling", "window, both"} <= set(standards)
    assert set(standards["floor"]["va"]) == {"score", "low", "high"}
    assert main(["check", str(root)]) == 0


def test_synth_refuses_a_folder_of_others(tmp_path: Path, capsys):
    (tmp_path / "mine.txt").write_text("precious")
    assert main(["synth", str(tmp_path)]) == 2
    assert (
        "is not empty and has no synthetic.json; expected a new or an empty folder" in capsys.readouterr().err
    )
    assert main(["synth", str(tmp_path / "x"), "--size", "tiny", "--train", "3"]) == 2
    assert "size tiny is what it is" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: abaw {command}" in capsys.readouterr().out


def test_rows_that_the_sample_does_not_want_are_counted(tiny_root: Path, tmp_path: Path, capsys):
    table = RowTable.build(["video2", "elsewhere"], [0, 0, 1], [1, 9999, 1], va=np.full((3, 2), 0.5))
    files.write(table, tmp_path / "p.parquet")
    sample = str(tiny_root / SAMPLE.format("VA"))
    assert (
        main(["submit", str(tmp_path / "p.parquet"), "--sample", sample, "--out", str(tmp_path / "o")]) == 0
    )
    assert "not in the sample, left out: 2 rows, among them all of elsewhere" in capsys.readouterr().err


def test_a_sample_that_repeats_a_frame_is_answered_line_by_line(tmp_path: Path, capsys):
    sample, out = tmp_path / "MTL_sample.txt", tmp_path / "o.txt"
    sample.write_text("image_location,valence,arousal\n\na/00002.jpg,\na/00001.jpg,\na/00002.jpg,\n")
    files.write(RowTable.build(["a"], [0, 0], [1, 2], va=[[0.1, 0.1], [0.2, 0.2]]), tmp_path / "p.csv")
    assert main(["submit", str(tmp_path / "p.csv"), "--sample", str(sample), "--out", str(out)]) == 0
    assert "blank line" in capsys.readouterr().err
    assert [line[:14] for line in out.read_text().split("\n")[1:4]] == [
        "a/00002.jpg,0.",
        "a/00001.jpg,0.",
        "a/00002.jpg,0.",
    ]
    assert main(["submit", "--validate", str(out), "--sample", str(sample)]) == 0


def test_a_flood_of_problems_is_summed_up(tmp_path: Path, capsys):
    folder = tmp_path / "root" / "VA_Set" / "Train_Set"
    folder.mkdir(parents=True)
    (folder / "1.txt").write_text("valence,arousal\n" + "0.1;0.2\n" * 500)
    assert main(["check", str(tmp_path / "root")]) == 1
    lines = [line for line in capsys.readouterr().out.split("\n") if "wrong field count" in line]
    assert len(lines) == 4
    assert lines[-1].endswith("wrong field count: and 497 more (--json has all)")


def test_a_root_of_stills_alone_is_usable(tmp_path: Path, capsys):
    (tmp_path / "LSD_Challenge_test_set_release.txt").write_text("image,expression\n0.jpg,\n1.jpg,\n")
    assert main(["check", str(tmp_path)]) == 0
    assert "LSD_Challenge_test_set_release.txt: 2 stills" in capsys.readouterr().out


def test_a_broken_image_of_any_kind_is_one_problem(tmp_path: Path, capsys):
    (tmp_path / "root" / "VA_Set" / "Train_Set").mkdir(parents=True)
    (tmp_path / "root" / "VA_Set" / "Train_Set" / "1.txt").write_text("valence,arousal\n" + "0.1,0.2\n" * 3)
    folder = tmp_path / "root" / "cropped_aligned" / "1"
    folder.mkdir(parents=True)
    huge = (
        b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01" + b"\0" * 90
    )
    for row, data in enumerate((b"", huge, b"P6 " + b"a" * 99), start=1):
        (folder / f"{row:05d}.jpg").write_bytes(data)
    assert main(["check", str(tmp_path / "root"), "--json"]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert [(Path(p["path"]).name, p["kind"]) for p in problems] == [
        (f"0000{i}.jpg", "broken image") for i in (1, 2, 3)
    ]


@pytest.mark.parametrize("option", [("--fps", "0"), ("--seconds", "-1"), ("--train", "-1"), ("--seed", "-1")])
def test_synth_takes_no_impossible_number(option: tuple[str, str], tmp_path: Path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["synth", str(tmp_path / "x"), *option])
    assert ended.value.code == 2
    assert f"argument {option[0]}: found {option[1]}, expected" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
