"""Build the corpus of a root: what the walk, the text files and the containers say, put together by track."""

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np

from abaw_jax.corpus import containers
from abaw_jax.corpus.containers import VideoFacts
from abaw_jax.corpus.rows import count_rows, lay_labels, row_problems
from abaw_jax.corpus.scan import ImageFolder, Scan, scan
from abaw_jax.corpus.sources import Source, Sources, read_sources
from abaw_jax.corpus.tracks import Corpus, SplitKey, Track, video_stem
from abaw_jax.problems import Problem, UnusableFile
from abaw_jax.progress import OnProgress, silent

ROWS_MINUS_FRAMES = range(-3, 3)
"""What the organisers' own files show: mostly 0 and +1, +2 in a dozen tracks, -3 in one."""


def build(
    root: Path,
    edition: int | None = None,
    splits: dict[str, str] | None = None,
    index_times: bool = True,
    on_progress: OnProgress = silent,
) -> tuple[Corpus, Scan]:
    """Read everything below `root`. The Scan holds the time stamps by which a cached index is checked."""
    found = scan(root, _counter(on_progress, "folders"))
    on_file = _counter(on_progress, "label files", len(found.texts))
    sources = read_sources(found, edition, splits, on_file)
    problems = [*found.problems, *sources.problems]
    images, image_problems = _images_by_track(found)
    candidates = _by_stem(found, found.videos, problems)
    sounds = {stem: paths[0] for stem, paths in _by_stem(found, found.sounds, problems).items()}
    stems = {name: name if name in candidates else video_stem(name) for name in sorted(sources.names)}
    wanted = {stem: candidates[stem] for stem in stems.values() if stem in candidates}
    videos, clocks = _clocks(found, wanted, index_times, on_progress, problems)

    seen = {name: clocks[stem].frames if stem in clocks else 0 for name, stem in stems.items()}
    for name, kinds in images.items():
        seen[name] = max(seen.get(name, 0), *(int(folder.rows[-1]) for folder in kinds.values()))
    rows = count_rows(sources, seen)
    labels, label_problems = lay_labels(root, sources, rows)
    problems += image_problems + row_problems(root, sources, rows) + label_problems
    tracks = {
        name: Track(
            name,
            rows[name],
            labels.get(name, {}),
            {kind: _mask(folder.rows, rows[name]) for kind, folder in images.get(name, {}).items()},
            {kind: folder.path for kind, folder in images.get(name, {}).items()},
            videos.get(stems[name]),
            sounds.get(name) or sounds.get(stems[name]),
            clocks.get(stems[name]),
        )
        for name in sorted(rows)
    }
    problems += _compare(found, tracks, images)
    samples = {(s.task, s.edition, "test"): s.path for s in sorted(sources.samples, key=_rank, reverse=True)}
    listed = {(s.task, s.edition, s.split): len(s.content) for s in sources.samples if s.task == "mtl"}
    stills = {source.path: len(source.content) for source in sources.stills}
    return Corpus(root, tracks, _splits(sources), samples, listed, stills, tuple(problems)), found


def _rank(source: Source) -> tuple[int, str]:
    """Of several lists for one test split the sample is preferred, then the example."""
    name = PurePosixPath(source.path).name.lower()
    return next((i for i, word in enumerate(("sample", "example")) if word in name), 2), source.path


def _counter(on_progress: OnProgress, stage: str, total: int | None = None) -> Callable[[str], None]:
    done = 0

    def step(_: str) -> None:
        nonlocal done
        done += 1
        on_progress(stage, done, total)

    return step


def _splits(sources: Sources) -> dict[SplitKey, tuple[str, ...]]:
    members: dict[SplitKey, set[str]] = defaultdict(set)
    for source in (*sources.tracks, *sources.mtl, *sources.samples, *sources.test_lists):
        members[source.task, source.edition, source.split].update(source.names)
    return {key: tuple(sorted(names)) for key, names in sorted(members.items(), key=str)}


def _images_by_track(found: Scan) -> tuple[dict[str, dict[str, ImageFolder]], list[Problem]]:
    images: dict[str, dict[str, ImageFolder]] = defaultdict(dict)
    problems = []
    for folder in found.images:
        name = PurePosixPath(folder.path).name
        if folder.kind in images[name]:
            first = images[name][folder.kind].path
            problems.append(
                Problem(str(found.root / folder.path), None, "second image folder", folder.path, first)
            )
            continue
        images[name][folder.kind] = folder
    return images, problems


def _mask(image_rows: np.ndarray, rows: int) -> np.ndarray:
    mask = np.zeros(rows, bool)
    mask[image_rows[(image_rows >= 1) & (image_rows <= rows)] - 1] = True
    return mask


def _by_stem(found: Scan, paths: list[str], problems: list[Problem]) -> dict[str, list[str]]:
    """Exact stems: `102` and `102-30-640x360` are different videos."""
    by_stem: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        stem = PurePosixPath(path).stem
        by_stem[stem].append(path)
        if len(by_stem[stem]) > 1:
            place = str(found.root / path)
            problems.append(Problem(place, None, "second file of a stem", stem, f"only {by_stem[stem][0]}"))
    return by_stem


def _clocks(
    found: Scan,
    videos: dict[str, list[str]],
    index_times: bool,
    on_progress: OnProgress,
    problems: list[Problem],
) -> tuple[dict[str, str], dict[str, VideoFacts]]:
    """The file and the clock of every video that a track was cut from; clocks may come from a table too."""
    clocks: dict[str, VideoFacts] = {}
    for path in found.tables:
        if PurePosixPath(path).name == containers.FACTS_FILE:
            try:
                clocks |= containers.read_facts(found.root / path)
            except UnusableFile as error:
                problems.append(error.problem)
    step = _counter(on_progress, "videos", len(videos))

    def read(paths: list[str]) -> tuple[str, VideoFacts | None, list[Problem]]:
        """The first file of a stem that can be read."""
        faults = []
        for path in paths:
            try:
                return path, containers.probe(found.root / path, index_times), faults
            except UnusableFile as error:
                faults.append(error.problem)
        return paths[0], None, faults

    chosen: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        for stem, (path, clock, faults) in zip(videos, pool.map(read, videos.values()), strict=True):
            step(stem)
            problems += faults
            chosen[stem] = path
            if clock is not None:
                clocks[stem] = clock
    return chosen, clocks


def _compare(
    found: Scan, tracks: dict[str, Track], images: dict[str, dict[str, ImageFolder]]
) -> list[Problem]:
    """What one source says of a track and another does not."""
    problems = []
    for track in tracks.values():
        place = str(found.root / track.video_path) if track.video_path else track.name
        if found.videos and not track.video_path:
            problems.append(Problem(track.name, None, "no video", "none", f"{track.video}.mp4 or .avi"))
        if track.facts and track.rows - track.facts.frames not in ROWS_MINUS_FRAMES:
            gap = f"{track.rows} rows of {track.name} for {track.facts.frames} frames"
            problems.append(Problem(place, None, "rows and frames disagree", gap, "a difference of -3 to +2"))
        if track.video_path and track.facts and track.facts.audio_duration_s is None and not track.sound_path:
            problems.append(Problem(place, None, "no sound", "no audio stream", "one", "note"))
        if found.images and track.name not in images:
            problems.append(Problem(track.name, None, "no images", "none", f"a folder {track.name}"))
        for folder in images.get(track.name, {}).values():
            if folder.rows[-1] > track.rows:
                beyond = f"{int((folder.rows > track.rows).sum())} images past row {track.rows}"
                problems.append(
                    Problem(str(found.root / folder.path), None, "images past the last row", beyond, "none")
                )
    for name in sorted(set(images) - set(tracks)):
        folder = next(iter(images[name].values()))
        problems.append(
            Problem(
                str(found.root / folder.path), None, "images without labels", name, "a label or list", "note"
            )
        )
    return problems
