"""What annotators write down of a track: noisy, with rows left out."""

import numpy as np
import scipy.signal

from abaw_jax import labels as facts
from abaw_jax.corpus.annotations import Labels
from abaw_jax.corpus.synthetic.affect import Affect

ACTION_THRESHOLD = 0.45
RATER_SPREAD = 0.08
RATER_TIME_S = 0.8
EXPR_SLIPS = 0.03
AU_SLIPS = 0.02
SLIP_S = 0.3
UNANNOTATED = 0.45
"""46 % of Aff-Wild2's EXPR training rows have no label, 37 % of its validation rows."""
AU_MISSING = 0.02
DECIMALS = (1, 2, 3, 3, 3, 4, 5, 13)
"""Tokens vary in length from file to file; a few files have 12 to 15 decimals."""


def annotate(affect: Affect, fps: float, rng: np.random.Generator) -> Labels:
    """VA, EXPR and AU labels with masks; masked rows hold the official markers."""
    rows = len(affect.va)
    va = np.round(np.clip(affect.va + _rater_noise(rows, fps, rng), -1, 1), rng.choice(DECIMALS)) + 0.0
    expr = affect.expr.copy()
    for start, stop in _runs(rows, EXPR_SLIPS, SLIP_S * fps, rng):
        expr[start:stop] = rng.integers(0, len(facts.EXPRESSIONS))
    au = affect.actions > ACTION_THRESHOLD
    for unit in range(au.shape[1]):
        for start, stop in _runs(rows, AU_SLIPS, SLIP_S * fps, rng):
            au[start:stop, unit] ^= True
    au_mask = np.ones(rows, bool)
    for start, stop in _runs(rows, AU_MISSING, fps, rng):
        au_mask[start:stop] = False
    expr_mask = _annotated(affect.event, rng)
    return {
        "va": va,
        "va_mask": np.ones(rows, bool),
        "expr": np.where(expr_mask, expr, facts.EXPR_INVALID).astype(np.int8),
        "expr_mask": expr_mask,
        "au": np.where(au_mask[:, None], au, facts.AU_INVALID).astype(np.int8),
        "au_mask": np.repeat(au_mask[:, None], au.shape[1], axis=1),
    }


def mask_va(labels: Labels, start: int, stop: int) -> None:
    """Make a run of VA rows invalid, as seven tracks of the 6th edition have them."""
    labels["va"][start:stop] = facts.VA_INVALID
    labels["va_mask"][start:stop] = False


def _rater_noise(rows: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """A rater's hand wanders: first-order noise of standard deviation RATER_SPREAD."""
    keep = np.exp(-1 / (RATER_TIME_S * fps))
    white = rng.normal(0, RATER_SPREAD * np.sqrt(1 - keep * keep), (rows, 2))
    white[:1] = rng.normal(0, RATER_SPREAD, (min(rows, 1), 2))
    return scipy.signal.lfilter([1], [1, -keep], white, axis=0)


def _runs(rows: int, share: float, length: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Runs of about `length` rows that cover about `share` of all; the shortest are one row."""
    count = rng.poisson(share * rows / max(length, 1))
    starts = rng.integers(0, max(rows, 1), count)
    return [(int(start), int(start) + 1 + int(rng.exponential(max(length - 1, 0)))) for start in starts]


def _annotated(event: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of every event one stretch goes unannotated, so that no expression is lost more than another."""
    mask = np.ones(len(event), bool)
    for number in np.unique(event):
        rows = np.flatnonzero(event == number)
        gap = round(len(rows) * UNANNOTATED)
        start = rng.integers(0, len(rows) - gap + 1)
        mask[rows[start : start + gap]] = False
    return mask
