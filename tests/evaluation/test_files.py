"""Tables on disk: what is written is read again, bit for bit, and what is wrong is named."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abaw_jax.evaluation import files
from abaw_jax.evaluation.table import RowTable
from abaw_jax.labels import WIDTHS

SUFFIXES = (".parquet", ".csv")


def random_table(
    seed: int, tasks: tuple[str, ...], tracks: tuple[str, ...] = ("b", 'a, "1"', "NA", "nan", "7")
) -> RowTable:
    """Any bit pattern that is a number, and NaN."""
    rng = np.random.default_rng(seed)
    n = 40
    values = {task: rng.integers(0, 2**32, (n, WIDTHS[task]), np.uint32).view(np.float32) for task in tasks}
    values = {task: np.where(np.isfinite(v), v, np.float32(np.nan)) for task, v in values.items()}
    flags = {flag: rng.random(n) < 0.5 for flag in files.FLAGS}
    time_ms = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n) * 1e5)
    rows = rng.choice(2**31 - 1, n, replace=False) + 1
    return RowTable.build(tracks, rng.integers(0, len(tracks), n), rows, time_ms=time_ms, **values, **flags)


def assert_same(a: RowTable, b: RowTable):
    assert a.tracks == b.tracks
    for name in RowTable.LAYOUT:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), tasks=st.sampled_from([(), ("va",), ("expr", "au"), ("va", "expr", "au")])
)
def test_a_table_comes_back_bit_for_bit(tmp_path: Path, suffix: str, seed: int, tasks: tuple[str, ...]):
    table = random_table(seed, tasks)
    path = tmp_path / f"table{suffix}"
    files.write(table, path)
    back = files.read(path)
    assert back.tasks == tasks
    assert_same(table, back)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_columns_are_the_same_whatever_the_task(tmp_path: Path, suffix: str):
    path = tmp_path / f"table{suffix}"
    files.write(random_table(0, ("va",)), path)
    names = parquet.read_schema(path).names if suffix == ".parquet" else csv.read_csv(path).column_names
    assert names == files.SCHEMA.names
    assert len(names) == 3 + 2 + 8 + 12 + 3


def test_tracks_are_dictionary_encoded_in_parquet(tmp_path: Path):
    files.write(random_table(0, ("va",)), tmp_path / "t.parquet")
    column = parquet.ParquetFile(tmp_path / "t.parquet").metadata.row_group(0).column(0)
    assert "RLE_DICTIONARY" in column.encodings


def test_a_null_among_values_is_no_prediction(tmp_path: Path):
    path = tmp_path / "t.csv"
    files.write(RowTable.build("a", [0, 0], [1, 2], va=[[0.5, 0.25], [0.125, 0.75]]), path)
    path.write_text(path.read_text().replace("0.125", ""))
    table = files.read(path)
    assert np.isnan(table.va[1, 0])
    assert table.predicted("va").tolist() == [True, False]


def test_an_empty_table_comes_back_empty(tmp_path: Path):
    for suffix in SUFFIXES:
        files.write(RowTable.build((), [], []), tmp_path / f"t{suffix}")
        assert len(files.read(tmp_path / f"t{suffix}")) == 0


def test_other_suffixes_name_the_two(tmp_path: Path):
    for action in (files.read, lambda path: files.write(random_table(0, ()), path)):
        with pytest.raises(ValueError, match=r"t\.json: .*\.parquet or \.csv.*'\.json'"):
            action(tmp_path / "t.json")


def test_a_failed_write_leaves_the_old_table_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "t.csv"
    files.write(random_table(0, ("va",)), path)
    before = path.read_bytes()

    def fail_half_way(arrow: pa.Table, temporary: Path):
        temporary.write_text("half")
        raise OSError("disk full")

    monkeypatch.setitem(files.FORMATS, ".csv", (fail_half_way, files.read))
    with pytest.raises(OSError, match="disk full"):
        files.write(random_table(1, ("va",)), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_who_is_reading_the_old_table_keeps_it(tmp_path: Path):
    path = tmp_path / "t.csv"
    files.write(random_table(0, ("va",)), path)
    before = path.read_bytes()
    with path.open("rb") as reader:
        files.write(random_table(1, ("va",)), path)
        assert reader.read() == before
    assert path.read_bytes() != before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("valence", "valense", r"missing columns \['valence'\], unexpected columns \['valense'\]"),
        ("0.5", "high", r"column 'valence', expected float: .*'high'"),
        ("0.5", "NA", r"column 'valence', expected float: .*'NA'"),
        ("7,", "7.5,", r"column 'row', expected int32: .*'7.5'"),
        ("false", "maybe", r"column 'no_face', expected bool: .*maybe"),
        ("7,", ",", r"column 'row' has 1 nulls"),
        ("0.5,", "", r"Expected 28 columns, got 27"),
    ],
)
def test_a_bad_csv_names_file_column_found_and_expected(tmp_path: Path, old: str, new: str, message: str):
    path = tmp_path / "bad.csv"
    files.write(RowTable.build("a", [0], [7], va=[[0.5, 0.25]]), path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=rf"bad\.csv: .*{message}"):
        files.read(path)


def test_a_bad_parquet_names_column_found_and_expected(tmp_path: Path):
    arrow = files.to_arrow(random_table(0, ("va",)))
    place = arrow.column_names.index("arousal")
    path = tmp_path / "bad.parquet"
    parquet.write_table(arrow.set_column(place, "arousal", arrow["arousal"].cast(pa.float64())), path)
    with pytest.raises(ValueError, match=r"bad\.parquet: column 'arousal' is double, expected float"):
        files.read(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"bad\.parquet: "):
        files.read(path)
