"""Where the organisers put each kind of file, edition by edition, and label files written there."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from abaw_jax import labels as facts
from abaw_jax.corpus.annotations import Labels, format_labels
from abaw_jax.corpus.synthetic.cast import Part

SPLIT_FOLDERS = {"train": "Train_Set", "validation": "Validation_Set"}
CHALLENGES = {
    "va": "VA_Estimation_Challenge",
    "expr": "EXPR_Recognition_Challenge",
    "au": "AU_Detection_Challenge",
}
UP_TO_FIFTH = CHALLENGES | {"expr": "EXPR_Classification_Challenge"}
SETS = {"va": "VA_Set", "expr": "EXPR_Set", "au": "AU_Set"}
MTL_FILES = {"train": "training_set_annotations.txt", "validation": "validation_set_annotations.txt"}
MTL_STEP = 8
"""MTL files name a sparse subset of the frames."""

TEST_LISTS = {
    "va": "Valence_Arousal_Estimation_Challenge_test_set_release.txt",
    "expr": "Expression_Recognition_Challenge_test_set_release.txt",
    "au": "Action_Unit_Detection_Challenge_test_set_release.txt",
}
SAMPLE_NAMES = {"va": "VA", "expr": "Expr", "au": "AU"}
EXAMPLES = {"va": "0.5,-0.5", "expr": "0", "au": "0,0,0,0,1,1,1,0,0,0,1,0"}


@dataclasses.dataclass(frozen=True)
class Layout:
    """One edition's folders, relative to the root."""

    annotations: str = ""
    tasks: Mapping[str, str] = dataclasses.field(default_factory=dict)
    splits: Mapping[str, str] = dataclasses.field(default_factory=lambda: SPLIT_FOLDERS)
    mtl: str | None = None
    mtl_files: Mapping[str, str] = dataclasses.field(default_factory=lambda: MTL_FILES)
    test_lists: str | None = None
    mtl_test: str | None = None
    samples: str | None = None
    """Pattern of the sample files: {task} and {kind} (sample or example)."""


def _release(number: str) -> dict[str, str]:
    return {
        "test_lists": "test_release/names_of_videos_in_each_test_set",
        "samples": f"test_release/prediction_files_format/CVPR_{number}_ABAW_{{task}}_test_set_{{kind}}.txt",
    }


LAYOUTS = {
    1: Layout("annotations", SETS, {"train": "Training_Set", "validation": "Validation_Set"}),
    2: Layout("annotations", SETS),
    3: Layout(
        "Third ABAW Annotations",
        UP_TO_FIFTH,
        mtl="Third ABAW Annotations/MTL_Challenge",
        mtl_files={"train": "train_set.txt", "validation": "validation_set.txt"},
        mtl_test="test_set/Multi_Task_Learning_Challenge_test_set_release.txt",
        test_lists="test_set",
    ),
    4: Layout(mtl="", mtl_test="MTL_Challenge_test_set_release.txt"),
    5: Layout("5th_ABAW_Annotations", UP_TO_FIFTH, **_release("5th")),
    6: Layout("6th_ABAW_Annotations", CHALLENGES, **_release("6th")),
    7: Layout(mtl="MTL", mtl_test="MTL/test_set_examples/MTL.txt"),
    8: Layout("8th_ABAW_Annotations", CHALLENGES, **_release("8th")),
    9: Layout("9th ABAW Annotations", CHALLENGES, **_release("9th")),
    10: Layout(
        "ABAW Annotations/ABAW Annotations",
        CHALLENGES,
        mtl="MTL",
        test_lists="test_release/names_of_videos_in_each_test_set",
        samples="test_release/{folder}/{folder} 2/ABAW_{task}_test_set_{kind}.txt",
    ),
    11: Layout(mtl="s-Aff-Wild2", mtl_test="s-Aff-Wild2/MTL_Challenge_test_set_release.txt"),
}

Annotated = Iterable[tuple[Part, Labels]]


def write_annotations(root: Path, edition: int, annotated: Annotated) -> list[Path]:
    """Write every label file, list and sample of one edition; returns the label files in order."""
    layout = LAYOUTS[edition]
    annotated = list(annotated)
    written = []
    for task, folder in layout.tasks.items():
        for part, labels in annotated:
            split = layout.splits.get(part.splits.get(task))
            if split:
                path = root / layout.annotations / folder / split / f"{part.name}.txt"
                written.append(_write(path, _label_file(task, labels, edition)))
    if layout.mtl is not None:
        _write_mtl(root, layout, annotated)
    for task in layout.tasks:
        tested = [part for part, _ in annotated if part.splits.get(task) == "test"]
        if tested and layout.test_lists:
            names = "".join(f"{part.name}\n" for part in tested)
            _write(root / layout.test_lists / _test_list_name(task, edition), names.encode())
        if tested and layout.samples:
            _write_samples(root, layout.samples, task, tested)
    return written


def _write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _label_file(task: str, labels: Labels, edition: int) -> bytes:
    """The bytes of one track; the 1st and 2nd editions had fewer classes and units, under other headers."""
    seven, eight = facts.LEGACY_HEADERS
    if task == "expr" and edition <= 2:
        kept = np.where(labels["expr"] < len(facts.EXPRESSIONS) - 1, labels["expr"], facts.EXPR_INVALID)
        return "\n".join([seven, *map(str, kept.tolist()), ""]).encode()
    if task == "au" and edition == 1:
        units = [facts.ACTION_UNITS.index(unit) for unit in eight.split(",") if unit in facts.ACTION_UNITS]
        rows = (",".join(map(str, [*row[:-1], 0, row[-1]])) for row in labels["au"][:, units].tolist())
        return "\n".join([eight, *rows, ""]).encode()
    return format_labels(task, labels)


def _test_list_name(task: str, edition: int) -> str:
    name = TEST_LISTS[task]
    return name.replace("Recognition", "Classification") if edition <= 5 else name


def _write_samples(root: Path, pattern: str, task: str, tested: list[Part]) -> None:
    images = [f"{part.name}/{row:05d}.jpg" for part in tested for row in range(1, part.rows + 1)]
    header = facts.SUBMISSION_HEADERS[task]
    kinds = {"sample": ("prediction_files_format", ""), "example": ("test_set_examples", EXAMPLES[task])}
    for kind, (folder, values) in kinds.items():
        lines = "\n".join([header, *(f"{image},{values}" for image in images), ""])
        name = pattern.format(folder=folder, task=SAMPLE_NAMES[task], kind=kind)
        _write(root / name, lines.encode())
        if "{folder}" not in pattern and kind == "sample":
            return


def _write_mtl(root: Path, layout: Layout, annotated: list[tuple[Part, Labels]]) -> None:
    """Every eighth row, with whatever labels it has; rows without any are left out."""
    header = facts.LABEL_HEADERS["mtl"]
    for split, name in layout.mtl_files.items():
        lines = [
            line for part, labels in annotated if part.split == split for line in _mtl_lines(part, labels)
        ]
        _write(root / layout.mtl / name, "\n".join([header, *lines, ""]).encode())
    if layout.mtl_test:
        tested = [part for part, _ in annotated if part.split == "test"]
        images = [
            f"{part.name}/{row:05d}.jpg," for part in tested for row in range(1, part.rows + 1, MTL_STEP)
        ]
        _write(root / layout.mtl_test, "\n".join([header, *images, ""]).encode())


def _mtl_lines(part: Part, labels: Labels) -> Iterable[str]:
    for row in range(0, part.rows, MTL_STEP):
        va, expr, au = labels["va"][row].tolist(), int(labels["expr"][row]), labels["au"][row].tolist()
        if not labels["va_mask"][row]:
            va = [int(facts.VA_INVALID)] * 2
        if labels["va_mask"][row] or labels["expr_mask"][row] or labels["au_mask"][row].any():
            values = ",".join(map(str, [*va, expr, *au]))
            yield f"{part.name}/{row + 1:05d}.jpg,{values}"
