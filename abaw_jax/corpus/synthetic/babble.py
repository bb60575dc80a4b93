"""Syllables without meaning: vowels drawn at random, each opened by a stop, a hiss or a glide."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from abaw_jax.corpus.synthetic.vocal_tract import FRICATIVES_HZ, VOWELS_HZ

# Defaults, not from a paper.
VOWEL_SPREAD = 0.4  # of the full vowel space: running speech reduces its vowels towards the middle
DURATIONS = (0.75, 1.25)  # of a syllable, against the mean
STRESS_DB = 2.0
ONSET = 0.25  # part of a syllable that its consonant takes
GLIDE = 0.5  # part of a syllable in which the tract moves from the last vowel to this one
FRICATIVE, STOP = 0.25, 0.25  # shares of the onsets; the rest are glides
FRICTION = 0.35  # amplitude of a fricative against a vowel
DIP_DB = {"fricative": -24.0, "stop": -40.0, "glide": -8.0}


class Babble(NamedTuple):
    """What the syllables ask of the source and of the tract, frame by frame."""

    vowel: Float[np.ndarray, "t 3"]
    """F1 to F3 in Hz."""
    voicing_db: Float[np.ndarray, "t"]
    friction: Float[np.ndarray, "t 3"]
    """Amplitude of each fricative against that of the vowel."""


def babble(beat: Float[np.ndarray, "t"], rng: np.random.Generator) -> Babble:
    """Syllables for a clock that counts them: `beat` rises by one in a syllable of mean length."""
    # One row of numbers a syllable: a longer track then begins like a shorter one.
    dice = rng.random((int(beat[-1] / DURATIONS[0]) + 2, 5))
    starts = np.concatenate([[0.0], np.cumsum(DURATIONS[0] + (DURATIONS[1] - DURATIONS[0]) * dice[:, 0])])
    index = np.searchsorted(starts, beat, side="right") - 1
    done = (beat - starts[index]) / (starts[index + 1] - starts[index])

    onset = np.clip(done / ONSET, 0.0, 1.0)
    hiss = dice[:, 1] < FRICATIVE
    stop = ~hiss & (dice[:, 1] < FRICATIVE + STOP)
    dips = np.select([hiss, stop], [DIP_DB["fricative"], DIP_DB["stop"]], DIP_DB["glide"])
    ends_in = np.append(dips[1:], dips[-1])  # the voice closes towards the next consonant
    shape = np.cos(np.pi / 2 * onset) ** 2 * dips[index]
    shape += np.clip((done - 0.85) / 0.15, 0.0, 1.0) ** 2 * ends_in[index]
    stress = STRESS_DB * (2 * dice[index, 2] - 1) * np.sin(np.pi * done)

    kind = (dice[:, 3] * len(FRICATIVES_HZ)).astype(int)
    friction = np.where(hiss[index], FRICTION * np.sin(np.pi * onset), 0.0)
    return Babble(
        _glide(dice[:, 4], index, done),
        shape + stress,
        friction[:, None] * np.eye(len(FRICATIVES_HZ))[kind[index]],
    )


def _glide(
    dice: Float[np.ndarray, "k"], index: np.ndarray, done: Float[np.ndarray, "t"]
) -> Float[np.ndarray, "t 3"]:
    """Formants on their way from each vowel to the next, in octaves, as ears and tubes have it."""
    octaves = np.log2(VOWELS_HZ)
    centre = octaves.mean(axis=0)
    targets = centre + VOWEL_SPREAD * (octaves[(dice * len(VOWELS_HZ)).astype(int)] - centre)
    before = np.concatenate([targets[:1], targets[:-1]])
    part = np.clip(done / GLIDE, 0.0, 1.0)[:, None]
    part = part**2 * (3 - 2 * part)
    return 2.0 ** ((1 - part) * before[index] + part * targets[index])
