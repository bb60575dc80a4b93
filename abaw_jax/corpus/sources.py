"""All text files of a root, each read as what its header says, filed by (task, edition)."""

import dataclasses
from pathlib import PurePosixPath

import numpy as np

from abaw_jax.corpus.annotations import LabelFile, parse_labels, recognise, split_header
from abaw_jax.corpus.editions import edition_of, split_of, task_of_test_list
from abaw_jax.corpus.image_lists import TRACK_NAME, ImageList, parse_image_list, read_lsd_list, read_test_list
from abaw_jax.corpus.problems import Problem, UnusableFile, shorten
from abaw_jax.corpus.scan import Scan

Key = tuple[str, int | None]
"""(task, edition)"""


@dataclasses.dataclass(frozen=True)
class Source:
    """One text file: where it lies, whose edition and split, and what stands in it."""

    path: str
    task: str
    edition: int | None
    split: str
    content: LabelFile | ImageList | tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The tracks that the file speaks of."""
        if isinstance(self.content, LabelFile):
            return (PurePosixPath(self.path).stem,)
        return self.content.tracks if isinstance(self.content, ImageList) else self.content

    @property
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
    sources = Sources()
    folders = _siblings(found.folders)
    for path in found.texts:
        if on_file is not None:
            on_file(path)
        try:
            _read(found, path, folders, edition, splits or {}, sources)
        except UnusableFile as error:
            sources.problems.append(error.problem)
        except OSError as error:
            name = str(found.root / path)
            sources.problems.append(
                Problem(name, None, "unreadable file", str(error.strerror), "a text file")
            )
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


def _read(found: Scan, path: str, folders, edition, splits, sources: Sources) -> None:
    where = PurePosixPath(path)
    name = str(found.root / path)
    data = (found.root / path).read_bytes()
    header, _ = split_header(data)
    if edition is None:
        above = ["" if parent == PurePosixPath() else str(parent) for parent in where.parents[1:3]]
        beside = frozenset().union(*(folders.get(folder, frozenset()) for folder in above))
        edition = edition_of(where, found.root.resolve().name, beside)
    split = next((splits[str(p)] for p in where.parents if str(p) in splits), split_of(where) or "train")
    if split == "test" and b"," not in header and TRACK_NAME.fullmatch(header.decode("utf-8", "replace")):
        names, problems = read_test_list(found.root / path)
        task = task_of_test_list(where.name) or "va"
        sources.test_lists.append(Source(path, task, edition, split, names))
        sources.problems += problems
        return
    try:
        kind, task = recognise(header, name)
    except UnusableFile as error:
        if error.problem.kind != "unknown header" or b"," in header:
            raise
        note = Problem(name, 1, "not an annotation file", shorten(header), "a header line", "note")
        sources.problems.append(note)
        return
    if kind == "lsd":
        stills = read_lsd_list(found.root / path)
        sources.stills.append(Source(path, task, edition or 4, split, stills.images))
        sources.problems += stills.problems
    elif kind == "labels" and task != "mtl":
        _read_track(Source(path, task, edition, split, parse_labels(data, name)), name, sources)
    else:
        images = parse_image_list(data, name)
        is_sample = kind == "sample" or split == "test" or images.labels is None
        (sources.samples if is_sample else sources.mtl).append(
            Source(path, task, edition, "test" if is_sample else split, images)
        )
        sources.problems += images.problems


def _read_track(source: Source, name: str, sources: Sources) -> None:
    sources.problems += source.content.problems
    if TRACK_NAME.fullmatch(PurePosixPath(source.path).stem):
        sources.tracks.append(source)
    else:
        found = shorten(PurePosixPath(source.path).stem)
        sources.problems.append(Problem(name, None, "not a track name", found, TRACK_NAME.pattern))
