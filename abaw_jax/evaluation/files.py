"""Tables of predictions on disk: Parquet for machines, CSV for people, one schema in both.

Columns are always the same; a task nobody predicted is a run of nulls. Both formats give back every float32
bit for bit (the CSV holds the shortest digits that do).
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet

from abaw_jax.evaluation.table import RowTable
from abaw_jax.labels import ACTION_UNITS, EXPRESSIONS, VA

TASK_COLUMNS = {"va": VA, "expr": EXPRESSIONS, "au": ACTION_UNITS}
FLAGS = ("no_face", "no_sound", "filled")
SCHEMA = pa.schema(
    [("track", pa.dictionary(pa.int32(), pa.string())), ("row", pa.int32()), ("time_ms", pa.float64())]
    + [(name, pa.float32()) for names in TASK_COLUMNS.values() for name in names]
    + [(flag, pa.bool_()) for flag in FLAGS]
)
TEXT_SCHEMA = SCHEMA.set(0, pa.field("track", pa.string()))
"""The same without the dictionary, which text cannot have."""


def write(table: RowTable, path: str | os.PathLike):
    """Write to a temporary name and rename: a reader never meets half a table."""
    path = Path(path)
    write_format, _ = _formats(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_format(to_arrow(table), temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: str | os.PathLike) -> RowTable:
    path = Path(path)
    _, read_format = _formats(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected a table of predictions")
    try:
        return from_arrow(read_format(path))
    except (ValueError, pa.ArrowInvalid) as error:
        raise ValueError(f"{path}: {error}") from error


def to_arrow(table: RowTable) -> pa.Table:
    nulls = pa.nulls(len(table), pa.float32())
    names = pa.DictionaryArray.from_arrays(pa.array(table.track), pa.array(table.tracks, pa.string()))
    columns = [names, pa.array(table.row), pa.array(table.time_ms)]
    for task, task_names in TASK_COLUMNS.items():
        values = getattr(table, task)
        columns += [nulls if values is None else pa.array(values[:, i]) for i in range(len(task_names))]
    columns += [pa.array(getattr(table, flag)) for flag in FLAGS]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def from_arrow(arrow: pa.Table) -> RowTable:
    _check_columns(arrow.column_names)
    for field in TEXT_SCHEMA:
        found = arrow.schema.field(field.name).type
        found = found.value_type if pa.types.is_dictionary(found) else found
        if found != field.type:
            raise ValueError(f"column '{field.name}' is {found}, expected {field.type}")
    for name in ("track", "row", *FLAGS):
        if nulls := arrow[name].null_count:
            raise ValueError(f"column '{name}' has {nulls} nulls, expected none")
    names = arrow["track"].cast(SCHEMA.field("track").type).unify_dictionaries().combine_chunks()
    columns = {name: arrow[name].to_numpy() for name in ("row", "time_ms", *FLAGS)}
    tasks = {task: _task_values(arrow, task) for task in TASK_COLUMNS}
    return RowTable.build(names.dictionary.to_pylist(), names.indices.to_numpy(), **columns, **tasks)


def _task_values(arrow: pa.Table, task: str) -> np.ndarray | None:
    """None where every column is null. A null among values means what NaN means: no prediction."""
    columns = [arrow[name] for name in TASK_COLUMNS[task]]
    if all(column.null_count == len(column) for column in columns):
        return None
    return np.stack([column.to_numpy() for column in columns], axis=1)


def _check_columns(found: list[str]):
    missing = [name for name in SCHEMA.names if name not in found]
    surplus = [name for name in found if name not in SCHEMA.names or found.count(name) > 1]
    if missing or surplus:
        raise ValueError(f"missing columns {missing}, unexpected columns {surplus}, expected {SCHEMA.names}")


def _write_parquet(arrow: pa.Table, path: Path):
    # Floats hardly ever repeat: a dictionary for them is built and thrown away.
    parquet.write_table(arrow, path, use_dictionary=["track"])


def _read_parquet(path: Path) -> pa.Table:
    return parquet.read_table(path, read_dictionary=["track"])


def _write_csv(arrow: pa.Table, path: Path):
    csv.write_csv(arrow.cast(TEXT_SCHEMA), path)


def _read_csv(path: Path) -> pa.Table:
    try:
        return _parse_csv(path, TEXT_SCHEMA)
    except pa.ArrowInvalid:
        # Arrow names the column by its number: read as text, and let the column that will not convert speak.
        text = _parse_csv(path, pa.schema([(name, pa.string()) for name in SCHEMA.names]), True)
        _check_columns(text.column_names)
        for field in TEXT_SCHEMA:
            try:
                text[field.name].cast(field.type)
            except pa.ArrowInvalid as error:
                raise ValueError(f"column '{field.name}', expected {field.type}: {error}") from error
        raise


def _parse_csv(path: Path, schema: pa.Schema, is_text: bool = False) -> pa.Table:
    # Only the empty cell is null: 'nan' is a prediction that was not made, and 'NA' may be a track.
    convert = csv.ConvertOptions(column_types=schema, null_values=[""], strings_can_be_null=is_text)
    return csv.read_csv(path, convert_options=convert)


FORMATS: dict[str, tuple[Callable, Callable]] = {
    ".parquet": (_write_parquet, _read_parquet),
    ".csv": (_write_csv, _read_csv),
}


def _formats(path: Path) -> tuple[Callable, Callable]:
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{path}: predictions are kept in {' or '.join(FORMATS)} files, not '{path.suffix}'")
    return FORMATS[path.suffix.lower()]
