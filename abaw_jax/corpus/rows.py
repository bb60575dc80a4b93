"""How long each track is, and its labels laid into its rows."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from abaw_jax import labels as facts
from abaw_jax.corpus.annotations import Labels
from abaw_jax.corpus.image_lists import ImageList
from abaw_jax.corpus.sources import Key, Source, Sources
from abaw_jax.problems import Problem

LabelsOfTracks = dict[str, dict[Key, Labels]]


def count_rows(sources: Sources, seen: dict[str, int]) -> dict[str, int]:
    """Rows of every track that any file names.

    VA, EXPR and AU files and dense sample files decide. Where there is none (a root with MTL lists alone,
    a test list without its sample) a track ends with its last listed row or, if that is later, where the
    last image or frame was `seen`.
    """
    rows: dict[str, int] = {}
    for source in _dense(sources):
        for name, last in source.last_rows.items():
            rows[name] = max(rows.get(name, 0), last)
    sparse = {name: seen.get(name, 0) for name in sources.names}
    for source in _sparse(sources):
        for name, last in source.last_rows.items():
            sparse[name] = max(sparse[name], last)
    return sparse | rows


def row_problems(root: Path, sources: Sources, rows: dict[str, int]) -> list[Problem]:
    """Files that disagree on a track's length, samples with holes, repeated lists."""
    problems = []
    for source in _dense(sources):
        for name, last in source.last_rows.items():
            if last != rows[name]:
                found = f"{last} rows of {name}"
                expected = f"{rows[name]} rows, as in its longest file; the rest is masked"
                problems.append(Problem(str(root / source.path), None, "rows disagree", found, expected))
        if isinstance(source.content, ImageList):
            problems += _holes(root, source)
    return problems


def _holes(root: Path, source: Source) -> list[Problem]:
    """Tracks whose lines in a sample file are not exactly 1, 2, 3, …"""
    problems = []
    for index, (name, last) in enumerate(source.last_rows.items()):
        rows = source.content.row[source.content.track == index]
        if len(rows) != last or len(np.unique(rows)) != last:
            found = f"{len(rows)} lines for {name}"
            problems.append(
                Problem(
                    str(root / source.path), None, "sample has holes", found, f"rows 1 to {last}, once each"
                )
            )
    return problems


def _dense(sources: Sources) -> list[Source]:
    return sources.tracks + [source for source in sources.samples if source.task != "mtl"]


def _sparse(sources: Sources) -> list[Source]:
    return sources.mtl + [source for source in sources.samples if source.task == "mtl"]


def lay_labels(root: Path, sources: Sources, rows: dict[str, int]) -> tuple[LabelsOfTracks, list[Problem]]:
    """Labels of each track and (task, edition), every array as long as the track."""
    laid: LabelsOfTracks = defaultdict(dict)
    problems = []
    for source in sources.tracks:
        (name,) = source.names
        key = (source.task, source.edition)
        labels = _extend(source.content.labels, rows[name])
        if key not in laid[name]:
            laid[name][key] = labels
        elif not all(np.array_equal(laid[name][key][part], labels[part]) for part in labels):
            place = str(root / source.path)
            problems.append(
                Problem(
                    place, None, "second label file", f"other labels for {name}", "one a track and edition"
                )
            )
    for source in sources.mtl:
        problems += _lay_sparse(root, source, rows, laid)
    return laid, problems


def empty_labels(rows: int, tasks: tuple[str, ...] = ("va", "expr", "au")) -> Labels:
    """Labels with every row masked."""
    units = len(facts.ACTION_UNITS)
    values = {
        "va": np.full((rows, 2), facts.VA_INVALID),
        "expr": np.full(rows, facts.EXPR_INVALID, np.int8),
        "au": np.full((rows, units), facts.AU_INVALID, np.int8),
    }
    shapes = {"va": rows, "expr": rows, "au": (rows, units)}
    found = {}
    for task in tasks:
        found |= {task: values[task], f"{task}_mask": np.zeros(shapes[task], bool)}
    return found


def _extend(labels: Labels, rows: int) -> Labels:
    """The same labels with masked rows behind them."""
    (task,) = (key for key in labels if not key.endswith("_mask"))
    if len(labels[task]) == rows:
        return labels
    longer = empty_labels(rows, (task,))
    for key, values in labels.items():
        longer[key][: len(values)] = values
    return longer


def _lay_sparse(root: Path, source: Source, rows: dict[str, int], laid: LabelsOfTracks) -> list[Problem]:
    """MTL lines fill masks into the rows of their tracks; of a repeated line the last counts."""
    images, place, problems = source.content, str(root / source.path), []
    order = np.argsort(images.track, kind="stable")
    starts = np.searchsorted(images.track[order], np.arange(len(images.tracks) + 1))
    for i, name in enumerate(images.tracks):
        lines = order[starts[i] : starts[i + 1]]
        chosen = lines[images.row[lines] <= rows[name]]
        if len(chosen) < len(lines):
            found = f"{len(lines) - len(chosen)} lines of {name}"
            problems.append(
                Problem(place, None, "rows past the end", found, f"rows up to {rows[name]}; left out")
            )
        repeated = len(chosen) - len(np.unique(images.row[chosen]))
        if repeated:
            found = f"{repeated} lines of {name}"
            problems.append(
                Problem(place, None, "repeated rows", found, "every row once; the last counts", "note")
            )
        labels = laid[name].setdefault(("mtl", source.edition), empty_labels(rows[name]))
        for key, values in images.labels.items():
            labels[key][images.row[chosen] - 1] = values[chosen]
    return problems
