"""Make a whole synthetic corpus below a folder: labels, lists, crops, sounds and, where asked for, videos."""

import dataclasses
import itertools
import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from abaw_jax.corpus import containers
from abaw_jax.corpus.containers import VideoFacts
from abaw_jax.corpus.synthetic import media
from abaw_jax.corpus.synthetic.annotate import annotate
from abaw_jax.corpus.synthetic.cast import SIZES, Part, Size, cast, cast_tiny
from abaw_jax.corpus.synthetic.layout import LAYOUTS, write_annotations
from abaw_jax.corpus.synthetic.odd import SILENT_VIDEO, odd_bytes, odd_images, odd_labels, odd_sound
from abaw_jax.corpus.synthetic.oracle import Witness
from abaw_jax.progress import OnProgress, silent

RECORD = "synthetic.json"
REVISION = 1
"""Bumped by hand when the same plan would make other files."""
TINY_VIDEO = (320, 180)
VIDEO = (640, 360)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to make. `size` is tiny, demo, evidence or a Size of one's own."""

    root: Path
    size: str | Size = "demo"
    seed: int = 0
    edition: int = 10
    with_crops: bool = True
    with_sounds: bool = True
    with_videos: bool | None = None
    """None: only in size tiny."""

    def __post_init__(self) -> None:
        if isinstance(self.size, str) and self.size not in ("tiny", *SIZES):
            raise ValueError(f"no size {self.size!r}; expected one of: tiny, {', '.join(SIZES)}")
        if self.edition not in LAYOUTS:
            raise ValueError(
                f"no layout of edition {self.edition}; expected one of: {', '.join(map(str, LAYOUTS))}"
            )

    @property
    def is_tiny(self) -> bool:
        """Whether the odd cases are in it."""
        return self.size == "tiny"

    @property
    def makes_videos(self) -> bool:
        """Whether real containers are written, or only their table of rates."""
        return self.is_tiny if self.with_videos is None else self.with_videos

    def parts(self) -> list[Part]:
        """The tracks."""
        if self.is_tiny:
            return cast_tiny(self.seed)
        return cast(SIZES[self.size] if isinstance(self.size, str) else self.size, self.seed)


def make(plan: Plan, on_progress: OnProgress = silent, workers: int | None = None) -> list[Witness]:
    """Write the corpus; returns what the oracles need of every track. The same plan writes the same bytes.

    A folder that holds anything else is refused. One that this very plan has begun is made again, one that
    it has finished is left as it is.
    """
    is_complete = _claim(plan)
    parts = plan.parts()
    witnesses = list(witness(parts, plan.is_tiny))
    if is_complete:
        return witnesses
    annotated = [(part, w.labels) for part, w in zip(parts, witnesses, strict=True)]
    label_files = write_annotations(plan.root, plan.edition, annotated)
    if plan.is_tiny and label_files:
        odd_bytes(label_files)
    _write_media(plan, parts, on_progress, workers)
    if not plan.makes_videos:
        clocks = {part.video: VideoFacts(part.fps, part.frames, part.frames / part.fps) for part in parts}
        containers.write_facts(plan.root / containers.FACTS_FILE, clocks)
    update_record(plan.root, {"is_complete": True})
    return witnesses


def update_record(root: Path, entries: dict) -> None:
    """Add to what is noted of the corpus in its folder."""
    record = root / RECORD
    noted = json.loads(record.read_text()) if record.exists() else {}
    temporary = record.with_suffix(".tmp")
    temporary.write_text(json.dumps(noted | entries, indent=2) + "\n")
    temporary.replace(record)


def witness(parts: Iterable[Part], is_tiny: bool = False) -> Iterator[Witness]:
    """Every track's hidden life and its labels."""
    for part in parts:
        affect = part.affect()
        labels = annotate(affect, part.fps, part.rng("labels"))
        if is_tiny:
            odd_labels(part, labels)
        yield Witness(part.name, affect, labels, part.fps)


def _claim(plan: Plan) -> bool:
    """Note in the folder what is made there; refuse another's. Returns whether it is there already."""
    size = plan.size if isinstance(plan.size, str) else dataclasses.asdict(plan.size)
    wanted = {"revision": REVISION, "size": size, "seed": plan.seed, "edition": plan.edition}
    wanted |= {"crops": plan.with_crops, "sounds": plan.with_sounds, "videos": plan.makes_videos}
    record = plan.root / RECORD
    if record.exists():
        noted = json.loads(record.read_text())
        if noted["plan"] != wanted:
            found = noted["plan"]
            raise FileExistsError(
                f"{plan.root} holds another synthetic corpus: found {found}, expected {wanted}"
            )
        return noted.get("is_complete", False)
    if plan.root.exists() and any(plan.root.iterdir()):
        raise FileExistsError(
            f"{plan.root} is not empty and has no {RECORD}; expected a new or an empty folder"
        )
    plan.root.mkdir(parents=True, exist_ok=True)
    update_record(plan.root, {"plan": wanted})
    return False


def _write_media(plan: Plan, parts: list[Part], on_progress: OnProgress, workers: int | None) -> None:
    by_video = [list(group) for _, group in itertools.groupby(parts, key=lambda part: part.video)]
    workers = workers or min(os.cpu_count() or 1, len(by_video))
    jobs = [(plan, group) for group in by_video]
    if workers == 1:
        done = map(_write_video_of_parts, jobs)
        _count(done, on_progress, len(jobs))
        return
    context = multiprocessing.get_context("spawn")  # fork and jax's threads in the parent do not go together
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        _count(pool.map(_write_video_of_parts, jobs), on_progress, len(jobs))


def _count(done: Iterable[None], on_progress: OnProgress, total: int) -> None:
    on_progress("videos", 0, total)
    for number, _ in enumerate(done, start=1):
        on_progress("videos", number, total)


def _write_video_of_parts(job: tuple[Plan, list[Part]]) -> None:
    """Everything of one video: the crops of its subjects, its sound, its container."""
    plan, parts = job
    affects = [part.affect() for part in parts]
    if plan.with_crops:
        for part, affect in zip(parts, affects, strict=True):
            folder = plan.root / "cropped_aligned" / part.name
            media.write_crops(folder, part, media.crops_of(part, affect))
            if plan.is_tiny:
                odd_images(folder, part)
    stem = parts[0].video
    sound = media.sound_of(parts, affects, parts[0].frames) if plan.with_sounds else None
    if plan.makes_videos:
        path = plan.root / "videos" / parts[0].batch / f"{stem}{parts[0].suffix}"
        heard = None if plan.is_tiny and stem == SILENT_VIDEO else sound
        media.write_video(path, parts, affects, heard, TINY_VIDEO if plan.is_tiny else VIDEO)
    if sound is not None and plan.is_tiny:
        sound = odd_sound(stem, sound, media.SAMPLE_RATE_HZ)
    if sound is not None:
        media.write_sound(plan.root / "sounds" / f"{stem}.wav", sound)
