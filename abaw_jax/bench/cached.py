"""Cached features as large as real ones, of random numbers, for benchmarks of what reads them."""

from pathlib import Path

import numpy as np

from abaw_jax.corpus.containers import VideoFacts
from abaw_jax.corpus.tracks import Corpus, Track
from abaw_jax.store.features import Features, Store
from abaw_jax.store.spec import FeatureSpec, Grid
from abaw_jax.train.data import Stored

FPS = 25.0
WIDTHS = {"video": 768, "audio": 512}


def make(root: Path, tracks: int, rows: int, widths: dict[str, int] = WIDTHS) -> Stored:
    """Tracks of VA labels, all of one length, a tenth of them for validation; some rows without a face."""
    rng = np.random.default_rng(0)
    made = {f"track{number:03d}": _track(f"track{number:03d}", rows, rng) for number in range(tracks)}
    features = {name: _features(root, name, width, made, rng) for name, width in widths.items()}
    held = max(1, tracks // 10)
    names = tuple(made)
    splits = {("va", 10, "train"): names[held:], ("va", 10, "validation"): names[:held]}
    return Stored(Corpus(root, made, splits, {}, {}, {}, ()), features)


def _track(name: str, rows: int, rng: np.random.Generator) -> Track:
    labels = {"va": rng.uniform(-1, 1, (rows, 2)), "va_mask": rng.random(rows) < 0.95}
    return Track(name, rows, {("va", 10): labels}, {}, {}, facts=VideoFacts(FPS, rows, rows / FPS))


def _features(root: Path, name: str, width: int, tracks: dict[str, Track], rng) -> Features:
    folder = Store(root).create(FeatureSpec(name, (width,), Grid(), {"kind": "random"}))
    for track in tracks.values():
        writer = folder.writer(track.name, track.rows)
        values = rng.standard_normal((track.rows, width), np.float32).astype(np.float16)
        gap = track.rows // 20 if name == "video" else 0
        writer.append(values[gap:])
        writer.skip(gap)
        writer.commit({})
    return folder
