"""A set of single faces in the layout of the synthetic-data challenge (LSD, 4th edition).

The training images are clean renderings; the validation and test images play the real ones: other
identities, under other light, with more pose, blur, noise, half-covered faces and a colour cast.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from abaw_jax.corpus.synthetic.cast import split_seed
from abaw_jax.corpus.synthetic.face import Look, sample_identity
from abaw_jax.corpus.synthetic.render import render_crops
from abaw_jax.labels import LSD_EXPRESSIONS, LSD_FOLDERS, LSD_HEADER
from abaw_jax.progress import OnProgress, silent

TEST_LIST = "LSD_Challenge_test_set_release.txt"
LOOKS_PER_IDENTITY = 4

#                AU:  1    2    4    6    7    10   12   15   23   24   25   26
STILL_FACES = np.array([
    [0.0, 0.0, 0.9, 0.0, 0.8, 0.0, 0.0, 0.0, 0.8, 0.6, 0.0, 0.0],  # Anger
    [0.0, 0.0, 0.4, 0.4, 0.5, 0.9, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0],  # Disgust
    [0.9, 0.6, 0.6, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.7, 0.0],  # Fear
    [0.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 0.5, 0.0],  # Happiness
    [0.8, 0.0, 0.6, 0.0, 0.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 0.0],  # Sadness
    [0.9, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.8, 0.9],  # Surprise
])  # fmt: skip


def make_stills(
    root: Path,
    per_class: int,
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> None:
    """Write `per_class` training images a class, and a quarter as many for validation and for test."""
    few = max(1, per_class // 4)
    folders = {"train": "training_set_synthetic_images", "validation": "validation_set_real_images"}
    steps = [
        (split, expr) for split in ("train", "validation", "test") for expr in range(len(LSD_EXPRESSIONS))
    ]
    tested: list[np.ndarray] = []
    for number, (split, expr) in enumerate(steps, start=1):
        count = per_class if split == "train" else few
        rng = np.random.default_rng([*split_seed(seed, f"stills {split}"), expr])
        images = _faces(expr, count, split != "train", rng)
        if split == "test":
            tested += list(images)
        else:
            _save(root / folders[split] / LSD_FOLDERS[expr], images)
        on_progress("stills", number, len(steps))
    order = np.random.default_rng(split_seed(seed, "stills order")).permutation(len(tested))
    _save(root / "test_set_images", [tested[i] for i in order])
    lines = [LSD_HEADER, *(f"{number}.jpg," for number in range(len(tested))), ""]
    (root / TEST_LIST).write_text("\n".join(lines))


def _save(folder: Path, images) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number}.jpg", quality=90)


def _faces(expr: int, count: int, is_shifted: bool, rng: np.random.Generator) -> np.ndarray:
    """Faces of one class, some of each identity."""
    images = []
    for first in range(0, count, LOOKS_PER_IDENTITY):
        look = _look(expr, min(LOOKS_PER_IDENTITY, count - first), is_shifted, rng)
        images.append(render_crops(sample_identity(rng), look, rng))
    faces = np.concatenate(images)
    return _cast_colours(faces, rng) if is_shifted else faces


def _look(expr: int, count: int, is_shifted: bool, rng: np.random.Generator) -> Look:
    spread = 2.0 if is_shifted else 1.0
    look = Look.neutral(count)
    strength = rng.uniform(0.5 if is_shifted else 0.7, 1.1, (count, 1))
    slips = rng.normal(0, 0.08 * spread, (count, STILL_FACES.shape[1]))
    look.au = np.clip(STILL_FACES[expr] * strength + slips, 0, 1).astype(np.float32)
    for name, degrees in (("yaw", 8), ("pitch", 4), ("roll", 4)):
        setattr(look, name, rng.normal(0, degrees * spread, count).clip(-35, 35).astype(np.float32))
    look.light[:, :2] += rng.normal(0, 0.2 * spread, (count, 2))
    look.light[:, 2] *= rng.uniform(1 - 0.15 * spread, 1 + 0.1 * spread, count)
    if is_shifted:
        look.blur = rng.uniform(0.4, 1.6, count).astype(np.float32)
        look.noise = rng.uniform(0.01, 0.04, count).astype(np.float32)
        look.occlusion = np.where(rng.random(count) < 0.1, rng.uniform(0.2, 0.5, count), 0).astype(np.float32)
    return look


def _cast_colours(faces: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    gain = rng.normal(1, 0.08, (len(faces), 1, 1, 3))
    return np.clip(faces * gain, 0, 255).astype(np.uint8)
