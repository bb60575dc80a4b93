"""How much of what is shown a ridge regression reads off the embedded encoders, on people nobody has seen.

Rows of tracks as a corpus has them, identities and seeds of no other; half the people teach the regression.
"""

import argparse
import zlib
from collections.abc import Sequence

import jax
import numpy as np

from abaw_jax.bench.timing import report
from abaw_jax.corpus.synthetic import media
from abaw_jax.corpus.synthetic.cast import Part, Size, cast
from abaw_jax.corpus.synthetic.perform import look_of
from abaw_jax.corpus.synthetic.render import render_crops
from abaw_jax.encoders.encoder import Encoder
from abaw_jax.encoders.hearing import cut, native_chunks
from abaw_jax.encoders.load import load
from abaw_jax.labels import ACTION_UNITS
from abaw_jax.tasks.fit import fit_sums, r_squared
from abaw_jax.tasks.prosody import PROSODY

ROWS_A_TRACK = 40
SECONDS = 10.0
BATCH = 64
RIDGE = 30.0
WANTED = {"face": 0.6, "voice": 0.7}
HEARD = PROSODY[:3]
"""Pitch, energy, tilt: what the mouth adds is told apart."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many people."""
    parser.add_argument("--people", type=int, default=160, help="half of them are scored on (%(default)s)")


def run(rounds: int, people: int) -> None:
    """Both modalities, the embedded encoder against features without weights; once is enough."""
    parts = cast(Size(people, 0, 0, SECONDS), zlib.crc32(b"probe"))
    faces = {name: face_scores(load(name), parts) for name in ("tiny-clip", "colours")}
    voices = {name: voice_scores(load(name), parts) for name in ("tiny-whisper", "logmel")}
    for what, names, found in (("units", ACTION_UNITS, faces), ("controls", PROSODY, voices)):
        for encoder, scores in found.items():
            told = ", ".join(f"{name} {score:.2f}" for name, score in zip(names, scores, strict=True))
            print(f"{encoder}: R² {scores.mean():.3f} over {what}: {told}")
    units = [scores.mean() for scores in faces.values()]
    prosody = [scores[: len(HEARD)].mean() for scores in voices.values()]
    more = {"people": people, "units": round(float(units[0]), 3), "prosody": round(float(prosody[0]), 3)}
    least = min(units[0] / WANTED["face"], prosody[0] / WANTED["voice"])
    report("probe", units[0] + prosody[0], units[1] + prosody[1], "R² of units + prosody", least, **more)


def face_scores(encoder: Encoder, parts: Sequence[Part]) -> np.ndarray:
    """R² of each action unit where the face is seen."""
    images, shown, person = [], [], []
    for number, part in enumerate(parts):
        affect = part.affect()
        seen = np.flatnonzero(affect.is_visible)
        rows = part.rng("probe").permutation(seen)[:ROWS_A_TRACK]
        look = look_of(affect, part.fps, part.rng("look"))[rows]
        if len(rows):
            images.append(render_crops(media.identity_of(part), look, part.rng("crops")))
            shown.append(affect.shown_actions[rows])
            person += [number] * len(rows)
    inputs = np.stack([encoder.preprocess(image) for image in np.concatenate(images)])
    return _probe(_encoded(encoder, inputs), np.concatenate(shown), np.array(person) % 2 == 0)


def voice_scores(encoder: Encoder, parts: Sequence[Part]) -> np.ndarray:
    """R² of each control of the voice in rows in which it is heard."""
    found, shown, person = [], [], []
    for number, part in enumerate(parts):
        affect = part.affect()
        vectors = _heard(encoder, media.sound_of([part], [affect], part.frames))
        times_s = (np.arange(part.rows) + 0.5) / part.fps
        at = np.round((times_s - encoder.hearing.start_s) * encoder.hearing.rate_hz).astype(int)
        rows = np.flatnonzero(affect.is_heard)
        found.append(vectors[np.clip(at[rows], 0, len(vectors) - 1)])
        mouth = np.clip(affect.shown_prosody[rows], [-3] * 3 + [0] * 3, [3] * 3 + [1] * 3)
        shown.append(mouth)
        person += [number] * len(rows)
    return _probe(np.concatenate(found), np.concatenate(shown), np.array(person) % 2 == 0)


def _heard(encoder: Encoder, sound: np.ndarray) -> np.ndarray:
    chunks = native_chunks(encoder.hearing, len(sound))
    inputs = [encoder.preprocess(cut(sound, start, encoder.hearing.chunk)) for start in chunks.starts]
    vectors = _encoded(encoder, np.stack(inputs))
    return np.concatenate([found[keep] for found, keep in zip(vectors, chunks.keep, strict=True)])


def _encoded(encoder: Encoder, inputs: np.ndarray) -> np.ndarray:
    apply = jax.jit(encoder.apply)
    batches = [apply(encoder.variables, inputs[i : i + BATCH]) for i in range(0, len(inputs), BATCH)]
    return np.concatenate([np.asarray(batch, np.float64) for batch in batches])


def _probe(features: np.ndarray, shown: np.ndarray, is_taught: np.ndarray) -> np.ndarray:
    """R² of every column on people who are not taught from."""
    centre, spread = features[is_taught].mean(axis=0), features[is_taught].std(axis=0) + 1e-9
    x = np.concatenate([(features - centre) / spread, np.ones((len(features), 1))], axis=1)
    taught = x[is_taught]
    weights = np.linalg.solve(taught.T @ taught + RIDGE * np.eye(x.shape[1]), taught.T @ shown[is_taught])
    told = x[~is_taught] @ weights
    sums = fit_sums(told, shown[~is_taught], np.ones(len(told), bool))
    return r_squared({name: np.asarray(value, np.float64) for name, value in sums.items()})
