"""How pictures look: what the model says is blue, what the annotators say is orange, in every one of them."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# The palette of Okabe and Ito (2008): told apart by the colour-blind, and in grey.
MODEL, TRUTH = "#0072B2", "#D55E00"
OTHERS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
QUIET = "0.45"
"""Of what is not the point."""

STYLE = {
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "figure.titlesize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.axisbelow": True,
    "axes.grid.axis": "y",
    "grid.color": "0.9",
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": "0.2",
    "ytick.labelcolor": "0.2",
    "legend.frameon": False,
    "hatch.linewidth": 0.7,
}
"""For `matplotlib.rc_context`; nothing is set for good."""

DOTS_PER_INCH = 120


def save(figure: Figure, out: Path) -> None:
    """As PNG; to a temporary name first, so that a picture is whole or the one before."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    figure.savefig(part, format="png", dpi=DOTS_PER_INCH)
    part.replace(out)


def aside(axis: Axes, text: str) -> None:
    """A remark in the line of the title, at its other end."""
    axis.set_title(text, loc="right", color=QUIET, fontsize=10.5)
