"""Latent affect: what a synthetic subject feels, and what the face and the voice each show of it.

Two hidden states, one that only the face shows and one that only the voice shows, are second-order,
mean-reverting and pushed by events (expressions). Valence and arousal are mixtures of both; twelve action
units follow the face state and the expression, prosody follows the voice state and the expression, each
with inertia. Two pairs of expressions share their face and differ in the voice alone. What is shown drops
out, face and voice independently, for longer than any window a model looks through; single rows are noisy.

The constants are ours, not measured on people; they were set so that the oracles keep the orderings that
`oracle.py` states.
"""

import dataclasses

import numpy as np
import scipy.signal
from jaxtyping import Bool, Float, Int

from abaw_jax.labels import ACTION_UNITS, EXPRESSIONS

SIMULATION_HZ = 100.0
BURN_IN_S = 8.0
EVENT_S = (2.0, 4.0)
STATE_TIME_S = 0.45
"""1 / natural frequency of the hidden states: with damping 0.7 they settle in about 1.5 s."""
DAMPING = 0.7
FACE_SPREAD, VOICE_SPREAD = 0.35, 0.45
"""Restlessness of the hidden states about what the expression asks of them."""
TRACK_BIAS = 0.06
"""Between tracks: a fraction of what valence and arousal vary within one."""
EXPRESSION_TIME_S = 0.15
ACTION_TIME_S = 0.12
PRESENT_S = (15.0, 24.0)
ABSENT_S = (13.0, 20.0)
"""Longer than 12 s, the longest window of the ten systems (300 rows at 25 a second)."""
PHRASE_S = (0.9, 2.2)
PAUSE_S = (0.25, 0.7)
FRAME_NOISE = 0.30
PROSODY_NOISE = 0.35
BURST_S = (0.8, 2.0)
BURST_SHARE = 0.06
BURST_LEVEL = 0.9
"""Single action units that come and go for no reason; only the face can tell."""

#                 AU:  1    2    4    6    7    10   12   15   23   24   25   26
FACES = np.array([
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],  # Neutral
    [0.0, 0.0, 0.9, 0.0, 0.8, 0.8, 0.0, 0.0, 0.7, 0.7, 0.0, 0.0],  # Anger
    [0.0, 0.0, 0.9, 0.0, 0.8, 0.8, 0.0, 0.0, 0.7, 0.7, 0.0, 0.0],  # Disgust: the face of Anger
    [0.9, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.8, 0.8],  # Fear
    [0.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 0.8, 0.0],  # Happiness
    [0.8, 0.0, 0.8, 0.0, 0.0, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 0.0],  # Sadness
    [0.9, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.8, 0.8],  # Surprise: the face of Fear
    [0.0, 0.0, 0.0, 0.8, 0.0, 0.0, 0.0, 0.8, 0.8, 0.8, 0.0, 0.0],  # Other
])  # fmt: skip

#                pitch energy tilt
VOICES = np.array([
    [-0.16, -0.32, 0.0],  # Neutral
    [0.4, 1.12, 1.12],  # Anger
    [-1.12, 0.32, 0.96],  # Disgust
    [1.2, -0.64, 0.48],  # Fear
    [0.88, 0.88, -0.4],  # Happiness
    [-0.96, -1.12, -0.64],  # Sadness
    [0.64, 0.16, -1.2],  # Surprise
    [-0.64, 0.64, -0.96],  # Other
])  # fmt: skip

#                       valence arousal of the face state
FACE_CENTRES = np.array([
    [0.0, -0.5], [-0.6, 0.4], [-0.6, 0.4], [0.0, 0.7], [0.9, 0.3], [-0.7, -0.5], [0.0, 0.7], [-0.1, -0.6],
])  # fmt: skip
VOICE_TO_VA = np.array([[0.21, 0.0, -0.38], [0.13, 0.38, 0.08]])
FACE_WEIGHT = np.array([0.70, 0.60])
"""Of the face state in valence and in arousal; the voice has the rest."""
#                        AU:  1     2     4     6     7     10    12    15    23    24    25    26
FACE_TO_ACTIONS = 0.22 * np.array([
    [0.0, 0.2, -0.8, 1.0, -0.3, -0.5, 1.0, -0.9, -0.5, -0.5, 0.3, 0.0],
    [0.5, 0.7, 0.3, 0.1, 0.4, 0.3, 0.0, -0.3, 0.0, -0.4, 0.8, 0.9],
])  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Affect:
    """One track at its row times: what is true, and what each modality shows of it."""

    va: Float[np.ndarray, "t 2"]
    expr: Int[np.ndarray, " t"]
    actions: Float[np.ndarray, "t 12"]
    prosody: Float[np.ndarray, "t 3"]
    event: Int[np.ndarray, " t"]
    """Which event a row belongs to: annotators leave parts of events out."""
    shown_actions: Float[np.ndarray, "t 12"]
    is_visible: Bool[np.ndarray, " t"]
    shown_prosody: Float[np.ndarray, "t 6"]
    """Pitch, energy, tilt; then what is heard of the mouth: open (AU25, AU26), smile (AU12), frown (AU15)."""
    is_speaking: Bool[np.ndarray, " t"]
    is_audible: Bool[np.ndarray, " t"]
    """The channel is not lost to noise; a pause is audible and not speaking."""

    @property
    def is_heard(self) -> Bool[np.ndarray, " t"]:
        """Rows in which the voice shows anything."""
        return self.is_speaking & self.is_audible


def deal_expressions(tracks: int, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Expressions of each track's events [tracks, events], from shuffled decks: a split holds all alike."""
    events = max(1, round(seconds / np.mean(EVENT_S)))
    count = len(EXPRESSIONS)
    decks = [rng.permutation(count) for _ in range(-(-tracks * events // count))]
    return np.concatenate([np.empty(0, int), *decks])[: tracks * events].reshape(tracks, events)


def deal_phases(tracks: int, rng: np.random.Generator) -> np.ndarray:
    """Where in its course of presence and absence each track's face and voice begin, spread evenly."""
    slots = np.stack([rng.permutation(tracks), rng.permutation(tracks)], axis=1)
    return (slots + rng.uniform(size=(tracks, 2))) / max(tracks, 1)


def simulate(
    expressions: np.ndarray, phases: tuple[float, float], times_s: np.ndarray, rng: np.random.Generator
) -> Affect:
    """Live through `expressions`, which share the time up to the last of `times_s` (from 0 up)."""
    seconds = float(times_s[-1]) if len(times_s) else 0.0
    steps = int((seconds + BURN_IN_S) * SIMULATION_HZ) + 2
    before = rng.integers(0, len(EXPRESSIONS), round(BURN_IN_S / np.mean(EVENT_S)))
    event = _events(len(before), BURN_IN_S, int(BURN_IN_S * SIMULATION_HZ), rng)
    event = np.concatenate([event, len(before) + _events(len(expressions), seconds, steps - len(event), rng)])
    expressions = np.concatenate([before, expressions])
    one_hot = np.eye(len(EXPRESSIONS))[expressions[event]]
    activation = _second_order(one_hot, EXPRESSION_TIME_S, 1.0)

    face = _state(activation @ FACE_CENTRES, FACE_SPREAD, rng)
    voice = _state(activation @ VOICES, VOICE_SPREAD, rng)
    bias = rng.normal(0, TRACK_BIAS, 2)
    va = np.tanh(FACE_WEIGHT * face + voice @ VOICE_TO_VA.T + bias)
    bursts = np.stack([_switch(steps, BURST_S, BURST_SHARE, rng) for _ in ACTION_UNITS], axis=1)
    target = np.maximum(activation @ FACES + face @ FACE_TO_ACTIONS, BURST_LEVEL * bursts)
    actions = np.clip(_second_order(target, ACTION_TIME_S, 1.0), 0, 1)

    at = np.minimum(((times_s + BURN_IN_S) * SIMULATION_HZ).astype(int), steps - 1)
    rows = len(at)
    mouth = np.stack([np.maximum(actions[:, 10], actions[:, 11]), actions[:, 6], actions[:, 7]], axis=1)
    prosody = np.concatenate([voice, mouth], axis=1)[at]
    noise = rng.normal(0, 1, (rows, 6)) * ([PROSODY_NOISE] * 3 + [FRAME_NOISE] * 3)
    return Affect(
        va=va[at],
        expr=activation.argmax(axis=1)[at],
        actions=actions[at],
        prosody=voice[at],
        event=event[at],
        shown_actions=np.clip(actions[at] + rng.normal(0, FRAME_NOISE, (rows, len(ACTION_UNITS))), 0, 1),
        is_visible=_presence(phases[0], steps, rng)[at],
        shown_prosody=prosody + noise,
        is_speaking=_phrases(steps, rng)[at],
        is_audible=_presence(phases[1], steps, rng)[at],
    )


def _events(count: int, seconds: float, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Index of the event at each step: `count` of them, of unlike lengths, fill the time."""
    ends = np.cumsum(rng.uniform(*EVENT_S, count))
    ends *= max(seconds, 1 / SIMULATION_HZ) / ends[-1]
    return np.minimum(np.searchsorted(ends, np.arange(steps) / SIMULATION_HZ, side="right"), count - 1)


def _second_order(drive: np.ndarray, time_s: float, damping: float) -> np.ndarray:
    """Solve x'' = w^2 (drive - x) - 2 damping w x', at rest at the first drive."""
    w = 1 / time_s
    b, a = scipy.signal.bilinear([w * w], [1, 2 * damping * w, w * w], SIMULATION_HZ)
    start = scipy.signal.lfilter_zi(b, a)[:, None] * drive[:1]
    return scipy.signal.lfilter(b, a, drive, axis=0, zi=start)[0]


def _state(target: np.ndarray, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Follows its target with inertia and a restlessness of standard deviation `spread`."""
    w = 1 / STATE_TIME_S
    white = rng.normal(0, 1, target.shape)
    density = 2 * spread * np.sqrt(DAMPING / w * SIMULATION_HZ)  # stationary variance of the oscillator
    return _second_order(target + density * white, STATE_TIME_S, DAMPING)


def _alternate(
    steps: int, on_s: tuple[float, float], off_s: tuple[float, float], phase: float, rng: np.random.Generator
) -> np.ndarray:
    """A switch that is on and off for times drawn uniformly, begun at `phase` of its first cycle."""
    cycles = int(steps / SIMULATION_HZ / (on_s[0] + off_s[0])) + 2
    spans = np.stack([rng.uniform(*on_s, cycles), rng.uniform(*off_s, cycles)], axis=1)
    edges = np.cumsum(spans.ravel()) - phase * spans[0].sum()
    return np.searchsorted(edges, np.arange(steps) / SIMULATION_HZ, side="right") % 2 == 0


def _presence(phase: float, steps: int, rng: np.random.Generator) -> np.ndarray:
    """On or off for the whole of a track, or switched once or twice, as long as it is."""
    lead = int(BURN_IN_S * SIMULATION_HZ)
    return np.concatenate([np.ones(lead, bool), _alternate(steps - lead, PRESENT_S, ABSENT_S, phase, rng)])


def _phrases(steps: int, rng: np.random.Generator) -> np.ndarray:
    return _alternate(steps, PHRASE_S, PAUSE_S, rng.uniform(), rng)


def _switch(steps: int, on_s: tuple[float, float], share: float, rng: np.random.Generator) -> np.ndarray:
    rest = (1 - share) / share
    return _alternate(steps, on_s, (on_s[0] * rest, on_s[1] * rest), rng.uniform(), rng).astype(float)
