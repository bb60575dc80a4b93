"""How well anyone could do: ridge regressions on what the face and the voice truly show.

No pixels and no sound: the shown action units and the shown prosody themselves, with their noise and
their dropouts, seen in one row, through a window, or up to a third of a second before. A model on features
of crops and waveforms is measured against these, against the floor (the mean predictor) and against the
ceiling (the true latents, scored on the noisy labels).
"""

import dataclasses

import numpy as np

from abaw_jax.corpus.annotations import Labels
from abaw_jax.corpus.synthetic.affect import Affect
from abaw_jax.corpus.synthetic.annotate import ACTION_THRESHOLD
from abaw_jax.evaluation.thresholds import decide, tune
from abaw_jax.labels import EXPRESSIONS

RIDGE = 5.0
AHEAD_S = 1 / 3
THRESHOLDS = tuple(i / 20 for i in range(2, 17))
NEAR_S = 0.6

Spans = tuple[tuple[float, float], ...]
"""Stretches of time around a row, in seconds, each summed up by the mean of its rows that show anything."""

FRAME: Spans = ((0, 0),)
WINDOW: Spans = (
    (-3, -1.6), (-1.6, -0.8), (-0.8, -0.4), (-0.4, -0.16), (-0.12, 0.12),
    (0.16, 0.4), (0.4, 0.8), (0.8, 1.6), (1.6, 3),
)  # fmt: skip
PAST: Spans = ((-2.5, -1.2), (-1.2, -0.5), (-0.5, -0.2), (-0.2, -0.08), (-0.04, 0))


@dataclasses.dataclass(frozen=True)
class Oracle:
    """What one oracle may look at."""

    modalities: tuple[str, ...]
    spans: Spans
    ahead_s: float = 0.0


ORACLES = {
    "frame, face": Oracle(("face",), FRAME),
    "frame, voice": Oracle(("voice",), FRAME),
    "frame, both": Oracle(("face", "voice"), FRAME),
    "window, face": Oracle(("face",), WINDOW),
    "window, voice": Oracle(("voice",), WINDOW),
    "window, both": Oracle(("face", "voice"), WINDOW),
    "past, both": Oracle(("face", "voice"), PAST),
    "a third of a second ahead, both": Oracle(("face", "voice"), PAST, AHEAD_S),
}


@dataclasses.dataclass(frozen=True)
class Witness:
    """One annotated track as the oracles see it."""

    name: str
    affect: Affect
    labels: Labels
    fps: float

    def shown(self, modality: str) -> tuple[np.ndarray, np.ndarray]:
        """(values, whether each row shows them)."""
        if modality == "face":
            return self.affect.shown_actions, self.affect.is_visible
        return self.affect.shown_prosody, self.affect.is_heard


@dataclasses.dataclass(frozen=True)
class Answer:
    """An oracle's predictions for one track."""

    va: np.ndarray
    expr: np.ndarray
    au: np.ndarray


def consult(oracle: Oracle, train: list[Witness], scored: list[Witness]) -> list[Answer]:
    """Fit on one split, answer for the other: `expr` one-hot scores, `au` decisions at tuned thresholds."""
    weights, thresholds = _fit(oracle, train)
    answers = []
    for witness in scored:
        features, pattern = _features(oracle, witness)
        answers.append(_answer(_apply(weights, features, pattern), thresholds))
    return answers


def ceiling(scored: list[Witness]) -> list[Answer]:
    """The truth itself, to be scored on the annotators' labels."""
    return [
        Answer(w.affect.va, np.eye(len(EXPRESSIONS))[w.affect.expr], w.affect.actions > ACTION_THRESHOLD)
        for w in scored
    ]


def floor(train: list[Witness], scored: list[Witness]) -> list[Answer]:
    """The mean of the training labels for every row: the commonest expression, AUs that most rows have."""
    va = _stack([w.labels["va"][w.labels["va_mask"]] for w in train]).mean(axis=0)
    expr = np.concatenate([w.labels["expr"][w.labels["expr_mask"]] for w in train])
    au = _stack([w.labels["au"][w.labels["au_mask"].all(axis=1)] for w in train]).mean(axis=0)
    commonest = np.bincount(expr, minlength=len(EXPRESSIONS)) / len(expr)
    return [
        Answer(*(np.tile(mean, (len(w.affect.va), 1)) for mean in (va, commonest, au > 0.5))) for w in scored
    ]


def _stack(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts).astype(float)


def _features(oracle: Oracle, witness: Witness) -> tuple[np.ndarray, np.ndarray]:
    """Means over the spans, shares of rows that show anything, and which modalities were near at all."""
    columns, pattern = [], np.zeros(len(witness.affect.va), int)
    for bit, modality in enumerate(oracle.modalities):
        values, shows = witness.shown(modality)
        weighted = np.concatenate([values * shows[:, None], shows[:, None]], axis=1)
        near = np.zeros(len(values))
        for low_s, high_s in oracle.spans:
            low, high = (
                round((low_s - oracle.ahead_s) * witness.fps),
                round((high_s - oracle.ahead_s) * witness.fps),
            )
            total = _span_sum(weighted, low, high)
            columns += [total[:, :-1] / np.maximum(total[:, -1:], 1), total[:, -1:] / (high - low + 1)]
            near += total[:, -1] * (abs(low_s) < NEAR_S)
        pattern += (near > 0) * 2**bit
    return np.concatenate([*columns, np.ones((len(pattern), 1))], axis=1), pattern


def _span_sum(values: np.ndarray, low: int, high: int) -> np.ndarray:
    """Sum over rows k + low … k + high that exist."""
    rows = len(values)
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    start = np.clip(np.arange(rows) + low, 0, rows)
    return total[np.clip(np.arange(rows) + high + 1, start, rows)] - total[start]


def _fit(oracle: Oracle, train: list[Witness]) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """One ridge for each pattern of modalities at hand, and the AU thresholds that suit them."""
    seen = [_features(oracle, witness) for witness in train]
    features, pattern = np.concatenate([f for f, _ in seen]), np.concatenate([p for _, p in seen])
    labels = {key: np.concatenate([w.labels[key] for w in train]) for key in train[0].labels}
    targets = (
        (labels["va"], labels["va_mask"]),
        (np.eye(len(EXPRESSIONS))[labels["expr"]], labels["expr_mask"]),
        (labels["au"], labels["au_mask"].all(axis=1)),
    )
    weights = {}
    for group in range(2 ** len(oracle.modalities)):
        rows = [(pattern == group) & mask for _, mask in targets]
        fits = [_ridge(features[at], values[at]) for at, (values, _) in zip(rows, targets, strict=True)]
        weights[group] = np.concatenate(fits, axis=1)
    scores = _apply(weights, features, pattern)[:, 10:].astype(np.float32)
    return weights, tune(scores, labels["au"], labels["au_mask"], THRESHOLDS)


def _ridge(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)


def _apply(weights: dict[int, np.ndarray], features: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    out = np.empty((len(features), weights[0].shape[1]))
    for group, weight in weights.items():
        out[pattern == group] = features[pattern == group] @ weight
    return out


def _answer(out: np.ndarray, thresholds: np.ndarray) -> Answer:
    return Answer(
        np.clip(out[:, :2], -1, 1), out[:, 2:10], decide(out[:, 10:].astype(np.float32), thresholds)
    )
