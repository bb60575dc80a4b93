"""What the embedded encoders learn from: faces with what can be said of them, voices with how they speak.

Every identity and every voice is new, and none is one of a corpus: their numbers come from names of their
own. Action units are as a corpus has them in some faces and independent of each other in the others, so
that an encoder measures muscles rather than guess them by the company they keep; prosody likewise.
"""

import dataclasses
import io
import json
import multiprocessing
import os
import shutil
import uuid
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from abaw_jax import prompts
from abaw_jax.corpus.synthetic import affect, captions
from abaw_jax.corpus.synthetic.affect import deal_expressions, deal_phases, simulate
from abaw_jax.corpus.synthetic.face import Look, sample_identity
from abaw_jax.corpus.synthetic.media import JPEG_QUALITY, SAMPLE_RATE_HZ
from abaw_jax.corpus.synthetic.perform import say
from abaw_jax.corpus.synthetic.render import render_crops
from abaw_jax.corpus.synthetic.voice import sample_timbre, synthesise
from abaw_jax.problems import one_of
from abaw_jax.progress import OnProgress, silent

REVISION = 1
"""Bumped by hand when the same plan would make other lessons."""
SIZE = 112
LIVELY = 0.5
"""Share of faces that show an expression as a corpus does."""
ACTIVE = 0.35
"""Of each action unit in the other faces."""
COVERED = 0.06
"""Share of faces behind a hand."""
ROWS_HZ = 25.0
TEXT = "S448"
"""Twelve muscles by their longest names fit."""
GROUP = 25
"""People that one process draws at a time."""


@dataclasses.dataclass(frozen=True)
class Lessons:
    """So many people; each face in `looks` looks, each voice for `seconds`."""

    kind: str
    people: int
    looks: int = 12
    seconds: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("lessons", self.kind, MAKERS)
        if min(self.people, self.looks, round(self.seconds * ROWS_HZ)) < 1:
            found = f"{self.people} people in {self.looks} looks, {self.seconds:g} s"
            raise ValueError(f"lessons: found {found}, expected at least one of each")

    def rng(self, split: str, person: int) -> np.random.Generator:
        """Numbers that no corpus draws: theirs never begin with this word."""
        return np.random.default_rng([zlib.crc32(f"lessons {self.kind} {split}".encode()), self.seed, person])


def make_lessons(
    lessons: Lessons, split: str, folder: Path, on_progress: OnProgress = silent, workers: int | None = None
) -> dict[str, np.ndarray]:
    """Arrays by name, memory-mapped from `folder`; made if they are not there, whole or not at all.

    Of several that make the same at once, the first to end is the one that counts.
    """
    wanted = {"revision": REVISION, "split": split} | dataclasses.asdict(lessons)
    home = folder / f"{lessons.kind}-{split}-{zlib.crc32(json.dumps(wanted).encode()):08x}"
    if not home.is_dir():
        unfinished = home.with_suffix(f".{uuid.uuid4().hex[:12]}")
        unfinished.mkdir(parents=True)
        try:
            _write(lessons, split, unfinished, on_progress, workers)
            (unfinished / "lessons.json").write_text(json.dumps(wanted, indent=2) + "\n")
            _put(unfinished, home)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return {path.stem: np.load(path, mmap_mode="r") for path in sorted(home.glob("*.npy"))}


def _put(unfinished: Path, home: Path) -> None:
    try:
        unfinished.replace(home)
    except OSError:
        if not home.is_dir():  # else another has put the same there meanwhile
            raise


def _write(lessons: Lessons, split: str, folder: Path, on_progress: OnProgress, workers: int | None) -> None:
    firsts = range(0, lessons.people, GROUP)
    jobs = [(lessons, split, range(a, min(a + GROUP, lessons.people))) for a in firsts]
    context = multiprocessing.get_context("spawn")  # fork and jax's threads in the parent do not go together
    arrays: dict[str, np.memmap] = {}
    with ProcessPoolExecutor(workers or os.cpu_count() or 1, mp_context=context) as pool:
        for number, found in enumerate(pool.map(_group, jobs)):
            each = len(next(iter(found.values()))) // len(jobs[number][2])
            for name, values in found.items():
                if name not in arrays:
                    shape = (each * lessons.people, *values.shape[1:])
                    path = str(folder / f"{name}.npy")
                    arrays[name] = np.lib.format.open_memmap(path, "w+", values.dtype, shape)
                first = each * jobs[number][2].start
                arrays[name][first : first + len(values)] = values
            on_progress(f"{split} lessons", jobs[number][2].stop, lessons.people)
    for array in arrays.values():
        array.flush()


def _group(job: tuple[Lessons, str, range]) -> dict[str, np.ndarray]:
    lessons, split, people = job
    made = [MAKERS[lessons.kind](lessons, lessons.rng(split, person)) for person in people]
    return {name: np.concatenate([one[name] for one in made]) for name in made[0]}


def faces_of(lessons: Lessons, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """One person: `image`, `au` with its mask (nothing of a covered face), `text` of three kinds."""
    count = lessons.looks
    expr = rng.integers(0, len(affect.FACES), count)
    strength = rng.uniform(0.2, 1, (count, 1))
    felt = strength * affect.FACE_CENTRES[expr] + affect.FACE_SPREAD * rng.normal(size=(count, 2))
    lively = np.clip(strength * affect.FACES[expr] + felt @ affect.FACE_TO_ACTIONS, 0, 1)
    free = rng.uniform(0, 1, lively.shape) * (rng.random(lively.shape) < ACTIVE)
    is_lively = rng.random(count) < LIVELY
    actions = np.where(is_lively[:, None], lively, free)
    noise = np.where(rng.random((count, 1)) < 0.5, affect.FRAME_NOISE, 0.05)  # of single rows, and of means
    actions = np.clip(actions + noise * rng.normal(size=actions.shape), 0, 1)
    look = _look(actions, rng)
    images = render_crops(sample_identity(rng), look, rng, SIZE)
    heard = strength * (affect.VOICES[expr] @ affect.VOICE_TO_VA.T)
    va = np.tanh(affect.FACE_WEIGHT * felt + heard)
    named = np.where(strength[:, 0] > 0.5, expr, 0)
    is_covered = look.occlusion > 0.9
    text = [
        _said(actions[i], va[i], int(named[i]), bool(is_lively[i]), bool(is_covered[i]), rng)
        for i in range(count)
    ]
    return {
        "image": np.stack([_as_jpeg(image) for image in images]),
        "au": actions.astype(np.float32),
        "au_mask": ~is_covered,
        "text": np.array(text, TEXT),
    }


def _look(actions: np.ndarray, rng: np.random.Generator) -> Look:
    """Head, light and camera as they wander in a corpus."""
    count = len(actions)

    def drift(spread: float, low: float, high: float, centre: float = 0.0) -> np.ndarray:
        return np.clip(centre + 1.1 * spread * rng.normal(size=count), low, high).astype(np.float32)

    look = Look.neutral(count)
    look.au = actions.astype(np.float32)
    look.yaw, look.pitch, look.roll = drift(9, -30, 30), drift(4, -15, 15), drift(4, -20, 20)
    look.gaze = np.stack([drift(0.25, -1, 1), drift(0.15, -1, 1)], axis=1)
    look.blink = np.where(rng.random(count) < 0.06, rng.uniform(0, 1, count), 0).astype(np.float32)
    look.light = np.stack([drift(0.3, -2, 2), drift(0.2, -2, 2, -0.4), drift(0.1, 0.6, 1.4, 1)], axis=1)
    look.blur = np.clip(rng.uniform(0.2, 0.9, count), 0.2, 1.5).astype(np.float32)
    look.noise = rng.uniform(0.005, 0.015, count).astype(np.float32)
    is_covered = rng.random(count) < COVERED
    look.occlusion = np.where(is_covered, rng.choice([0.3, 0.7, 1, 1, 1], count), 0).astype(np.float32)
    return look


def _said(
    actions: np.ndarray,
    va: np.ndarray,
    expr: int,
    is_lively: bool,
    is_covered: bool,
    rng: np.random.Generator,
) -> tuple[str, str, str]:
    """Muscles thrice where nothing is felt; else muscles, expression, state."""
    if is_covered:
        return (captions.COVERED,) * 3
    muscles = captions.muscles_text(actions)
    state = prompts.STATE_PROMPTS[
        len(prompts.TEMPLATES) * captions.state_of(va) + rng.integers(len(prompts.TEMPLATES))
    ]
    return (muscles, prompts.EXPRESSION_PROMPTS[expr], state) if is_lively else (muscles,) * 3


def _as_jpeg(image: np.ndarray) -> np.ndarray:
    """As it comes back from disk."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "jpeg", quality=JPEG_QUALITY)
    return np.asarray(Image.open(file))


def voices_of(lessons: Lessons, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """One person: `sound`, and at `ROWS_HZ` `prosody` (six numbers) and whether anything `is_heard`."""
    rows = round(lessons.seconds * ROWS_HZ)
    lived = simulate(
        deal_expressions(1, lessons.seconds, rng)[0],
        tuple(deal_phases(1, rng)[0]),
        np.arange(rows) / ROWS_HZ,
        rng,
    )
    shown, is_heard = lived.shown_prosody, lived.is_speaking
    if rng.random() > LIVELY:
        shown = _free_prosody(rows, rng)
    shown = np.concatenate([shown[:, :3].clip(-3, 3), shown[:, 3:].clip(0, 1)], axis=1)
    samples = round(lessons.seconds * SAMPLE_RATE_HZ)
    sound = synthesise(sample_timbre(rng), say(shown, is_heard, ROWS_HZ), rng, samples)
    return {
        "sound": (sound * 32767).astype(np.int16)[None],
        "prosody": shown.astype(np.float32)[None],
        "is_heard": is_heard[None],
    }


def _free_prosody(rows: int, rng: np.random.Generator) -> np.ndarray:
    """Six numbers that wander on their own, about a mean of their own, in the noise of single rows."""
    spread = np.array([0.8, 0.8, 0.8, 0.35, 0.35, 0.35])
    centre = np.array([0, 0, 0, 0.25, 0.2, 0.2])
    keep = np.exp(-1 / (affect.STATE_TIME_S * ROWS_HZ))
    state = rng.normal(size=6)
    path = np.empty((rows, 6))
    for row, step in enumerate(np.sqrt(1 - keep**2) * rng.normal(size=(rows, 6))):
        state = keep * state + step
        path[row] = state
    noise = np.array([affect.PROSODY_NOISE] * 3 + [affect.FRAME_NOISE] * 3)
    return centre + spread * path + noise * rng.normal(size=(rows, 6))


MAKERS: dict[str, Callable[[Lessons, np.random.Generator], dict[str, np.ndarray]]] = {
    "faces": faces_of,
    "voices": voices_of,
}
