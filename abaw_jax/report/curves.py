"""The pictures that end a run: how it learnt, and what it says of one track beside the annotators.

Import it where a picture is drawn: matplotlib takes half a second that other runs need not pay.
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from abaw_jax.evaluation.table import RowTable
from abaw_jax.evaluation.truth import Truth
from abaw_jax.labels import VA
from abaw_jax.report import panels
from abaw_jax.report.scene import Scene, most_telling
from abaw_jax.report.standards import SCORE_NAMES
from abaw_jax.report.style import MODEL, OTHERS, QUIET, STYLE, aside, save

Curve = tuple[np.ndarray, np.ndarray]
"""(steps, values)"""

SMOOTHED_SHARE = 1 / 15
"""Of all points, those that a point of the smoothed loss is the mean of: the slope stays, noise goes."""

WIDTH_INCHES = 11.0
HEIGHTS_INCHES = {"va": 1.6, "expr": 2.5, "au": 3.4}
HEADER_INCHES = 1.0


@mpl.rc_context(STYLE)
def learning_curve(
    metrics: Path, out: Path, score: str, floor: float | None = None, ceiling: float | None = None
) -> None:
    """Loss and validation score against the step, from a run's `metrics.jsonl`, also while it runs."""
    lines = list(_read(metrics))
    figure = Figure(figsize=(WIDTH_INCHES, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _losses(left, lines)
    _scores(right, _curve(lines, f"score/{score}"), score, floor, ceiling)
    last = max((line["step"] for line in lines), default=0)
    for axis in (left, right):
        axis.grid(True)
        axis.set(xlabel="step", xlim=(0, 1.03 * max(1, last)))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    save(figure, out)


@mpl.rc_context(STYLE)
def trajectory(table: RowTable, truth: Truth, out: Path, track: str | None = None) -> None:
    """One track's predictions and labels over time; without `track`, the one that tells most."""
    scene = Scene.of(table, truth, most_telling(table, truth) if track is None else track)
    tasks = [task for task in scene.rows.tasks for _ in range(len(VA) if task == "va" else 1)]
    heights = [HEIGHTS_INCHES[task] for task in tasks]
    height = sum(heights) + HEADER_INCHES
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    axes = figure.subplots(len(tasks), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    for number, (axis, task) in enumerate(zip(axes, tasks, strict=True)):
        if task == "va":
            panels.affect(axis, scene, number)
        else:
            (panels.expressions if task == "expr" else panels.action_units)(axis, scene)
        panels.mark_gaps(axis, scene)
    axes[-1].set(xlabel=scene.clock, xlim=scene.edges[[0, -1]])
    figure.suptitle(f"track {scene.name}", x=0.01, y=1 - 0.1 / height, ha="left", parse_math=False)
    handles, names = zip(*panels.legend(scene), strict=True)
    figure.legend(handles, names, loc="outside upper right", ncols=len(names))
    save(figure, out)


def _read(metrics: Path) -> Iterator[dict[str, float]]:
    """Whole lines; a run that is under way, or was killed, may have left half of one."""
    if not metrics.is_file():
        raise FileNotFoundError(f"{metrics}: no such file; expected the log of a run")
    for text in metrics.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and "step" in line:
            yield line


def _curve(lines: list[dict[str, float]], name: str) -> Curve:
    """Where a value was logged; what is not finite cannot be drawn."""
    points = [(line["step"], line[name]) for line in lines if name in line]
    steps, values = np.array(points, float).reshape(-1, 2).T
    is_finite = np.isfinite(values)
    return steps[is_finite], values[is_finite]


def _losses(axis: Axes, lines: list[dict[str, float]]) -> None:
    """As logged in the background, smoothed in front; the parts too where there are several."""
    axis.set_title("training loss")
    parts = list(dict.fromkeys(name for line in lines for name in line if name.startswith("loss/")))
    shown = {"loss": ("all together", MODEL)}
    if len(parts) > 1:
        shown |= {
            n: (n.removeprefix("loss/"), c) for n, c in zip(parts, itertools.cycle(OTHERS), strict=False)
        }
    for name, (label, colour) in shown.items():
        steps, values = _curve(lines, name)
        width = max(1, round(len(values) * SMOOTHED_SHARE))
        if width > 1:
            axis.plot(steps, values, color=colour, alpha=0.22, linewidth=1)
        axis.plot(steps, _smooth(values, width), color=colour, linewidth=2, label=label, **_dot(steps))
    if len(shown) > 1:
        axis.legend(loc="upper right")
    if not len(_curve(lines, "loss")[0]):
        _say(axis, "nothing logged yet")


def _scores(axis: Axes, curve: Curve, score: str, floor: float | None, ceiling: float | None) -> None:
    """What was reached, between what can be had for nothing and what can be had at all."""
    steps, values = curve
    axis.set(title="score on validation", ylabel=SCORE_NAMES.get(score, score))
    for name, level in (("floor", floor), ("ceiling", ceiling)):
        if level is not None:
            axis.axhline(level, color=QUIET, linestyle="--", linewidth=1.3)
            axis.annotate(
                f"{name} {level:.3f}", (0.01, level), xycoords=axis.get_yaxis_transform(), color="0.2",
                xytext=(0, 4), textcoords="offset points", fontsize=10,
            )  # fmt: skip
    if not len(values):
        _say(axis, "not evaluated yet")
        return
    best = int(values.argmax())
    axis.plot(steps, values, color=MODEL, linewidth=2, marker="o", markersize=4)
    axis.plot(steps[best], values[best], "o", color=MODEL, markersize=11, fillstyle="none", markeredgewidth=2)
    aside(axis, f"best {values[best]:.3f} at step {steps[best]:,.0f}")
    axis.margins(y=0.12)


def _smooth(values: np.ndarray, width: int) -> np.ndarray:
    """Mean of the neighbours that are there; at the ends of fewer."""
    if not len(values):
        return values
    window = np.ones(2 * (width // 2) + 1)
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")


def _dot(steps: np.ndarray) -> dict[str, str]:
    """One point alone makes no line."""
    return {"marker": "o"} if len(steps) == 1 else {}


def _say(axis: Axes, text: str) -> None:
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color=QUIET)
