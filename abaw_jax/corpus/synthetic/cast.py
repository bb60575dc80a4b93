"""Who plays in a synthetic corpus: the tracks of each size, their clocks and their splits.

Everything random about a track follows from (seed, split, number), so train and validation share no
identity, and a track is the same however many are made beside it.
"""

import dataclasses
import zlib

import numpy as np

from abaw_jax.corpus.synthetic.affect import Affect, deal_expressions, deal_phases, simulate
from abaw_jax.corpus.tracks import video_stem

UNI_TASKS = ("va", "expr", "au")
NTSC_FILM = 24000 / 1001


@dataclasses.dataclass(frozen=True)
class Size:
    """How many tracks of what length."""

    train: int
    validation: int
    test: int
    seconds: float
    fps: float = 25.0


SIZES = {
    "demo": Size(16, 8, 8, 10.0),
    "evidence": Size(96, 48, 0, 30.0),
}


@dataclasses.dataclass(frozen=True)
class Part:
    """One track to be made. `frames` is what its container will hold; rows are what its labels have."""

    name: str
    rows: int
    fps: float
    splits: dict[str, str]
    seed: tuple[int, ...]
    expressions: tuple[int, ...]
    phases: tuple[float, float]
    frames: int
    suffix: str = ".mp4"
    batch: str = "batch1"

    @property
    def video(self) -> str:
        """The stem of its video."""
        return video_stem(self.name)

    @property
    def split(self) -> str:
        """The split of most of its tasks; its identity belongs there."""
        values = list(self.splits.values())
        return max(values, key=values.count)

    def rng(self, purpose: str) -> np.random.Generator:
        """Independent numbers for each purpose: more draws for the one never change another."""
        return np.random.default_rng([*self.seed, zlib.crc32(purpose.encode())])

    def affect(self) -> Affect:
        """The hidden life of the track, at its rows' times."""
        times_s = np.arange(self.rows) / self.fps
        return simulate(np.array(self.expressions), self.phases, times_s, self.rng("affect"))


def split_seed(seed: int, split: str) -> tuple[int, int]:
    """Where all numbers of one split come from."""
    return seed, zlib.crc32(split.encode())


def cast(size: Size, seed: int) -> list[Part]:
    """The tracks of a plain corpus: one subject a video, every task in the same split."""
    parts = []
    for split, count in (("train", size.train), ("validation", size.validation), ("test", size.test)):
        base = split_seed(seed, split)
        rng = np.random.default_rng(base)
        dealt, phases = deal_expressions(count, size.seconds, rng), deal_phases(count, rng)
        for number in range(count):
            rows = round(size.seconds * size.fps)
            splits = dict.fromkeys(UNI_TASKS, split)
            life = (*base, number + 1), tuple(dealt[number].tolist()), tuple(phases[number].tolist())
            parts.append(Part(f"video{len(parts) + 1}", rows, size.fps, splits, *life, rows))
    return parts


#        name                      fps        rows frames suffix batch     splits of va, expr, au
TINY = (
    ("7-60-640x360", 30.0, 150, 150, ".mp4", "batch1", ("train", "train", "train")),
    ("video10_1_left", 30.0, 96, 97, ".mp4", "batch1", ("train", "train", "train")),
    ("video10_1_right", 30.0, 96, 97, ".mp4", "batch1", ("train", "validation", "train")),
    ("102", NTSC_FILM, 120, 119, ".avi", "batch2", ("test", "train", "train")),
    ("102-30-640x360", 30.0, 110, 108, ".mp4", "batch1", ("train", "train", "validation")),
    ("493", 6.0, 73, 73, ".avi", "batch3", ("train", "train", "train")),
    ("451", 25.0, 100, 99, ".avi", "batch3", ("train", None, "train")),
    ("5-60-640x360-1", 30.0, 330, 330, ".mp4", "batch1", ("train", "train", "train")),
    ("video59", 29.97, 120, 121, ".mp4", "batch1", ("validation", "validation", "validation")),
    ("video59_right", 29.97, 120, 121, ".mp4", "batch1", ("validation", "validation", "validation")),
    ("118-30-640x480", 30.0, 180, 180, ".mp4", "batch1", ("validation", "validation", "validation")),
    ("86", 24.0, 144, 144, ".mp4", "batch2", ("validation", "validation", "test")),
    ("video2", 30.0, 90, 90, ".mp4", "batch1", ("test", "test", "test")),
    ("video2_left", 30.0, 90, 90, ".mp4", "batch1", ("test", "test", "test")),
)
"""Every shape of section 7 of the field's rules: odd rates, prefix twins, two subjects of one video in two
splits, a test video of one task in the training split of another, rows minus frames from -1 to +2."""


def cast_tiny(seed: int) -> list[Part]:
    """The tracks of size `tiny`."""
    parts = []
    for number, (name, fps, rows, frames, suffix, batch, splits) in enumerate(TINY, start=1):
        of_tasks = {task: split for task, split in zip(UNI_TASKS, splits, strict=True) if split}
        base = split_seed(seed, next(split for split in splits if split))
        rng = np.random.default_rng([*base, number])
        expressions = tuple(deal_expressions(1, rows / fps, rng)[0].tolist())
        life = (*base, number), expressions, tuple(deal_phases(1, rng)[0].tolist())
        parts.append(Part(name, rows, fps, of_tasks, *life, frames, suffix, batch))
    return parts
