"""Pictures by which a person judges the corpus: sixty-four faces, and one track from latents to sound."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import scipy.signal

from abaw_jax.corpus.synthetic import media
from abaw_jax.corpus.synthetic.affect import Affect
from abaw_jax.corpus.synthetic.cast import Part
from abaw_jax.corpus.synthetic.perform import look_of
from abaw_jax.corpus.synthetic.render import render_crops
from abaw_jax.labels import ACTION_UNITS, EXPRESSIONS, VA

SHEET = (8, 8)


def contact_sheet(parts: list[Part], path: Path, seed: int = 0) -> None:
    """Sixty-four crops of as many tracks as there are, each under its expression."""
    rng = np.random.default_rng(seed)
    figure, axes = plt.subplots(*SHEET, figsize=(12, 13.2), layout="constrained")
    visible = [(part, affect) for part in parts if (affect := part.affect()).is_visible.any()]
    order = rng.permutation(max(len(visible), axes.size))[: axes.size] % len(visible)
    for (part, affect), axis in zip([visible[i] for i in order], axes.flat, strict=True):
        row = int(rng.choice(np.flatnonzero(affect.is_visible)))
        look = look_of(affect, part.fps, part.rng("look"))[row : row + 1]
        axis.imshow(render_crops(media.identity_of(part), look, part.rng("crops"))[0])
        axis.set_title(EXPRESSIONS[affect.expr[row]], fontsize=9)
        axis.axis("off")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def most_telling(parts: list[Part]) -> Part:
    """The track of which face and voice show most: a newcomer should see what there is to see."""

    def shown(part: Part) -> float:
        affect = part.affect()
        return float(affect.is_visible.mean() * affect.is_heard.mean())

    return max(parts, key=shown)


def track_sheet(part: Part, path: Path) -> None:
    """Valence and arousal, expression, action units shown and true, prosody, and the voice's spectrogram."""
    affect = part.affect()
    times_s = np.arange(part.rows) / part.fps
    sound = media.sound_of([part], [affect], part.rows)
    figure, axes = plt.subplots(5, 1, figsize=(12, 13), sharex=True, layout="constrained")
    axes[0].plot(times_s, affect.va, label=VA)
    axes[0].set(ylabel="true", ylim=(-1, 1), title=f"{part.name}: what is felt, shown and heard")
    axes[0].legend(loc="upper right", ncols=2)
    axes[1].step(times_s, affect.expr, where="post", color="k")
    axes[1].set(yticks=range(len(EXPRESSIONS)), yticklabels=EXPRESSIONS)
    _units(axes[2], affect, times_s)
    _prosody(axes[3], affect, times_s)
    frequency, at, power = scipy.signal.spectrogram(sound, media.SAMPLE_RATE_HZ, nperseg=512, noverlap=384)
    decibels = 10 * np.log10(power + 1e-12)
    axes[4].pcolormesh(at, frequency / 1000, decibels, vmin=-110, vmax=-40, rasterized=True)
    axes[4].set(ylabel="kHz", xlabel="seconds")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _units(axis, affect: Affect, times_s: np.ndarray) -> None:
    shown = np.where(affect.is_visible[:, None], affect.shown_actions, np.nan)
    edges = np.append(times_s, times_s[-1] + times_s[1])
    axis.pcolormesh(edges, np.arange(len(ACTION_UNITS) + 1), shown.T, vmin=0, vmax=1, cmap="magma")
    axis.set(yticks=np.arange(len(ACTION_UNITS)) + 0.5, yticklabels=ACTION_UNITS, ylabel="shown by the face")


def _prosody(axis, affect: Affect, times_s: np.ndarray) -> None:
    heard = np.where(affect.is_heard[:, None], affect.shown_prosody[:, :3], np.nan)
    axis.plot(times_s, heard, ".", markersize=3, label=("pitch", "energy", "tilt"))
    axis.plot(times_s, affect.prosody, color="0.6", linewidth=0.8)
    axis.set(ylabel="shown by the voice")
    axis.legend(loc="upper right", ncols=3)
