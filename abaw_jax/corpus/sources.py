"""All text files of a root, each read as what its header says, filed by (task, edition)."""

import dataclasses
import functools
import re
from pathlib import Path, PurePosixPath

import numpy as np

from abaw_jax.corpus.annotations import LabelFile, parse_labels, recognise, split_header
from abaw_jax.corpus.editions import SPLITS, edition_of, root_names, split_of, task_of_test_list
from abaw_jax.corpus.image_lists import TRACK_NAME, ImageList, parse_image_list, read_lsd_list, read_test_list
from abaw_jax.corpus.scan import Scan
from abaw_jax.problems import Problem, UnusableFile, shorten

Key = tuple[str, int | None]
"""(task, edition)"""
UNREADABLE = "unreadable file"
HEADER_BYTES = 4096
"""Enough for any header line: the body is taken apart where its reader is known."""
SAMPLE_PLACE = re.compile(r"sample|example|release|prediction_files_format", re.IGNORECASE)
"""In the names of the organisers' own lists of test images; predictions beside them have other names."""


@dataclasses.dataclass(frozen=True)
class Source:
    """One text file: where it lies, whose edition and split, and what stands in it."""

    path: str
    task: str
    edition: int | None
    split: str
    content: LabelFile | ImageList | tuple[str, ...]

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The tracks that the file speaks of."""
        if isinstance(self.content, LabelFile):
            return (PurePosixPath(self.path).stem,)
        return self.content.tracks if isinstance(self.content, ImageList) else self.content

    @functools.cached_property
    def last_rows(self) -> dict[str, int]:
        """The last row that the file has of each of its tracks."""
        if isinstance(self.content, LabelFile):
            return {self.names[0]: self.content.rows}
        last = np.zeros(len(self.names), np.int64)
        np.maximum.at(last, self.content.track, self.content.row)
        return dict(zip(self.names, last.tolist(), strict=True))


@dataclasses.dataclass
class Sources:
    """What the text files of a root hold."""

    tracks: list[Source] = dataclasses.field(default_factory=list)
    mtl: list[Source] = dataclasses.field(default_factory=list)
    samples: list[Source] = dataclasses.field(default_factory=list)
    test_lists: list[Source] = dataclasses.field(default_factory=list)
    stills: list[Source] = dataclasses.field(default_factory=list)
    problems: list[Problem] = dataclasses.field(default_factory=list)

    @property
    def names(self) -> set[str]:
        """Every track that any file speaks of."""
        return {
            n
            for group in (self.tracks, self.mtl, self.samples, self.test_lists)
            for s in group
            for n in s.names
        }


def read_sources(found: Scan, edition: int | None = None, splits: dict[str, str] | None = None, on_file=None):
    """Read every text file below the root; `edition` and `splits` (folder ▶ split) overrule the paths."""
    splits = {
        str(PurePosixPath(folder)): SPLITS.get(name.lower(), name) for folder, name in (splits or {}).items()
    }
    unknown = sorted(set(splits) - set(found.folders))
    if unknown:
        raise ValueError(f"{found.root} has no folder {unknown[0]!r} to be given a split")
    sources = Sources()
    folders = _siblings(found.folders)
    roots = root_names(found.root)

    @functools.cache
    def around(folder: PurePosixPath) -> tuple[str | None, frozenset[str]]:
        """The split that the caller gave a folder, and the folders of its set."""
        given = next((splits[str(p)] for p in (folder, *folder.parents) if str(p) in splits), None)
        above = ["" if p == PurePosixPath() else str(p) for p in folder.parents[:2]]
        return given, frozenset().union(*(folders.get(name, frozenset()) for name in above))

    for path in found.texts:
        if on_file is not None:
            on_file(path)
        where = PurePosixPath(path)
        given, beside = around(where.parent)
        own = edition if edition is not None else edition_of(where, roots, beside)
        split = given or split_of(where, roots[0])
        file = _File(path, f"{found.root}/{path}", own, split, given is not None)
        try:
            _read(file, sources)
        except UnusableFile as error:
            sources.problems.append(error.problem)
        except OSError as error:
            sources.problems.append(Problem(file.name, None, UNREADABLE, str(error.strerror), "a text file"))
    _settle_editions(sources)
    return sources


def _settle_editions(sources: Sources) -> None:
    """Test lists and samples whose names tell no edition go with the newest labels of their task."""
    for group in (sources.samples, sources.test_lists):
        for i, source in enumerate(group):
            if source.edition is None:
                labelled = sources.mtl if source.task == "mtl" else sources.tracks
                editions = [s.edition for s in labelled if s.task == source.task and s.edition is not None]
                group[i] = dataclasses.replace(source, edition=max(editions, default=None))


def _siblings(folders: list[str]) -> dict[str, frozenset[str]]:
    below: dict[str, set[str]] = {}
    for folder in folders:
        parent, _, name = folder.rpartition("/")
        below.setdefault(parent, set()).add(name)
    return {parent: frozenset(names) for parent, names in below.items()}


@dataclasses.dataclass(frozen=True)
class _File:
    """A text file before it is read: where it lies and what its path says."""

    path: str
    name: str
    edition: int | None
    split: str
    is_given: bool
    """The caller named the split."""

    @property
    def is_official(self) -> bool:
        """In a folder whose files are meant to be annotations."""
        return self.is_given or self.split.rpartition("/")[2] in ("train", "validation")

    def note(self, kind: str, found: str, expected: str) -> Problem:
        return Problem(self.name, 1, kind, found, expected, "note")

    def source(self, task: str, content, split: str | None = None) -> Source:
        return Source(self.path, task, self.edition, split or self.split, content)


def _read(file: _File, sources: Sources) -> None:
    """Recognise one file by its header and file what it holds."""
    data = Path(file.name).read_bytes()
    header, _ = split_header(data[:HEADER_BYTES])
    try:
        kind, task = recognise(header, file.name)
    except UnusableFile as error:
        if _read_test_list(file, header, sources):
            return
        if error.problem.kind == "legacy header" or file.is_official:
            raise
        sources.problems.append(file.note("not an annotation file", shorten(header), "a header line"))
        return
    if kind == "lsd":
        stills = read_lsd_list(Path(file.name))
        sources.stills.append(
            dataclasses.replace(file.source(task, stills.images), edition=file.edition or 4)
        )
        sources.problems += stills.problems
    elif kind == "labels" and task != "mtl":
        _read_track(file, data, sources)
    else:
        _read_images(file, kind, data, sources)


def _read_test_list(file: _File, header: bytes, sources: Sources) -> bool:
    """Whether the file is a list of test tracks: it has no header, so its name must speak of a task."""
    task = task_of_test_list(PurePosixPath(file.path).name)
    if file.split != "test" or task is None or not TRACK_NAME.fullmatch(header.decode("utf-8", "replace")):
        return False
    names, problems = read_test_list(Path(file.name))
    sources.test_lists.append(file.source(task, names))
    sources.problems += problems
    return True


def _read_images(file: _File, kind: str, data: bytes, sources: Sources) -> None:
    """MTL labels and sample files. Predictions look like either; only the place tells them apart."""
    images = parse_image_list(data, file.name)
    if kind == "labels" and file.is_official:
        if images.labels is not None:
            sources.mtl.append(file.source("mtl", images))
    elif file.split == "test" and SAMPLE_PLACE.search(file.path):
        sources.samples.append(file.source(images.task, images))
    else:
        found = f"a list of {len(images)} images"
        sources.problems.append(file.note("not read", found, "labels in a split's folder, or a test sample"))
        return
    sources.problems += images.problems


def _read_track(file: _File, data: bytes, sources: Sources) -> None:
    content = parse_labels(data, file.name)
    sources.problems += content.problems
    stem = PurePosixPath(file.path).stem
    if not TRACK_NAME.fullmatch(stem):
        sources.problems.append(
            Problem(file.name, None, "not a track name", shorten(stem), TRACK_NAME.pattern)
        )
        return
    if not content.rows:
        sources.problems.append(Problem(file.name, None, "no rows", "a header alone", "a label a frame"))
    sources.tracks.append(file.source(content.task, content))
