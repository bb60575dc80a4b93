"""What a picture of one track is made of: lines for affect, heat maps for probabilities, marks for gaps."""

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke

from abaw_jax.evaluation.moments import Moments
from abaw_jax.labels import ACTION_UNITS, EXPRESSIONS, VA
from abaw_jax.report.scene import Scene
from abaw_jax.report.style import MODEL, TRUTH, aside

HEAT = mpl.colormaps["Blues"].with_extremes(bad="0.85")
LONG_ROWS, PEN, THIN_PEN = 2000, 1.8, 1.0
"""A minute or so; lines of longer tracks are thinner, in points, or one would hide the other."""
NO_FACE = {"facecolor": "0.3", "edgecolor": "none", "alpha": 0.16}
NO_SOUND = {"facecolor": "none", "edgecolor": "0.5", "hatch": "//", "linewidth": 0, "alpha": 0.5}


def affect(axis: Axes, scene: Scene, column: int) -> None:
    """Valence or arousal, as the model and as the annotators have it."""
    axis.axhline(0, color="0.85", linewidth=1)
    _line(axis, scene, scene.rows.va[:, column], MODEL)
    if "va" in scene.labels:
        values, mask = scene.labels["va"]
        _line(axis, scene, np.where(mask, values[:, column], np.nan), TRUTH)
        aside(axis, _agreement(scene, column))
    axis.set(title=VA[column], ylim=(-1.05, 1.05), yticks=(-1, 0, 1), yticklabels=("-1", "0", "1"))


def expressions(axis: Axes, scene: Scene) -> None:
    """Eight probabilities, and the annotators' class as a line through them."""
    _heat(axis, scene, scene.rows.expr, EXPRESSIONS)
    axis.set_title("expression")
    if "expr" not in scene.labels:
        return
    values, mask = scene.labels["expr"]
    level = np.where(mask, values + 0.5, np.nan)
    (line,) = axis.step(scene.edges, np.append(level, level[-1]), where="post", color=TRUTH)
    halo = withStroke(linewidth=2 * _pen(scene), foreground="white")
    line.set(linewidth=_pen(scene), path_effects=[halo])
    is_scored = mask & scene.rows.predicted("expr")
    if is_scored.any():
        is_right = scene.rows.expr[is_scored].argmax(axis=1) == values[is_scored]
        aside(axis, f"the most probable one is right in {is_right.mean():.0%} of rows")


def action_units(axis: Axes, scene: Scene) -> None:
    """Twelve probabilities, and a frame around the rows in which annotators saw the unit."""
    _heat(axis, scene, scene.rows.au, ACTION_UNITS)
    axis.set_title("action units")
    if "au" not in scene.labels:
        return
    values, mask = scene.labels["au"]
    for unit, is_active in enumerate((mask & (values == 1)).T):
        frames = axis.broken_barh(scene.spans(is_active), (unit + 0.14, 0.72), facecolor="none")
        frames.set(edgecolor=TRUTH, linewidth=0.8 * _pen(scene))


def mark_gaps(axis: Axes, scene: Scene) -> None:
    """Grey where there was no face, hatched where there was no sound: behind lines, faintly over heat."""
    zorder, shade = (3, 0.6) if axis.collections else (0.5, 1.0)
    for is_off, look in ((scene.rows.no_face, NO_FACE), (scene.rows.no_sound, NO_SOUND)):
        bars = axis.broken_barh(scene.spans(is_off), (0, 1), transform=axis.get_xaxis_transform(), **look)
        bars.set(zorder=zorder, alpha=shade * look["alpha"])


def legend(scene: Scene) -> Iterator[tuple[Artist, str]]:
    """(what is drawn, what it means), of what this track has."""
    has_lines = scene.rows.va is not None
    yield Line2D([], [], color=MODEL, linewidth=2) if has_lines else Patch(color=MODEL), "model"
    if any(mask.any() for _, mask in scene.labels.values()):
        yield Line2D([], [], color=TRUTH, linewidth=2), "annotators"
    if scene.rows.no_face.any():
        yield Patch(**NO_FACE), "no face"
    if scene.rows.no_sound.any():
        yield Rectangle((0, 0), 1, 1, **NO_SOUND), "no sound"


def _pen(scene: Scene) -> float:
    return PEN if len(scene.at) <= LONG_ROWS else THIN_PEN


def _line(axis: Axes, scene: Scene, values: np.ndarray, colour: str) -> None:
    """Broken where there is no value; a value between two gaps is a dot, since it makes no line."""
    is_gap = np.isnan(np.concatenate([[np.nan], values, [np.nan]]))
    alone = np.flatnonzero(is_gap[:-2] & ~is_gap[1:-1] & is_gap[2:]).tolist()
    axis.plot(
        scene.at, values, color=colour, linewidth=_pen(scene), marker=".", markersize=6, markevery=alone
    )


def _heat(axis: Axes, scene: Scene, shares: np.ndarray, names: tuple[str, ...]) -> None:
    """The first name on top."""
    levels = np.arange(len(names) + 1)
    mesh = axis.pcolormesh(scene.edges, levels, shares.T, cmap=HEAT, vmin=0, vmax=1, rasterized=True)
    axis.hlines(levels[1:-1], *scene.edges[[0, -1]], color="white", linewidth=1.2)
    axis.set(yticks=levels[:-1] + 0.5, yticklabels=names, ylim=(len(names), 0))
    axis.tick_params(axis="y", length=0)
    axis.spines[:].set_visible(False)
    bar = axis.figure.colorbar(mesh, cax=axis.inset_axes((1.012, 0, 0.012, 1)), ticks=(0, 0.5, 1))
    bar.outline.set_visible(False)
    bar.set_label("probability")


def _agreement(scene: Scene, column: int) -> str:
    values, mask = scene.labels["va"]
    is_scored = mask & scene.rows.predicted("va")
    if not is_scored.any():
        return ""
    pairs = (each[is_scored].astype(np.float64) for each in (scene.rows.va, values))
    ccc = Moments.of(*pairs, np.zeros(int(is_scored.sum()), int), 1).ccc()[0, column]
    return f"CCC of this track {ccc:.2f}"
