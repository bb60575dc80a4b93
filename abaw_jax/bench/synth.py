"""Render aligned crops and synthesise voice, on one core; the floor to meet is 300 crops a second."""

import dataclasses
import os
import statistics

import numpy as np

from abaw_jax.bench.timing import in_turn, report, spread
from abaw_jax.corpus.synthetic import media
from abaw_jax.corpus.synthetic.cast import Size, cast

WANTED_CROPS_A_SECOND = 300.0
SECONDS = 30.0


def run(rounds: int) -> None:
    """A face seen in every row, a track as the corpus has them, and its voice."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    parts = cast(Size(train=16, validation=0, test=0, seconds=SECONDS), seed=0)
    lives = [(part, part.affect()) for part in parts]
    part, life = min(lives, key=lambda pair: abs(pair[1].is_visible.mean() - 0.55))
    seen = dataclasses.replace(life, is_visible=np.ones(part.rows, bool))
    taken = in_turn(
        {
            f"{part.rows} crops, all of a face": lambda: media.crops_of(part, seen),
            f"{part.rows} crops, {life.is_visible.mean():.0%} of a face": lambda: media.crops_of(part, life),
            f"{SECONDS:.0f} s of voice": lambda: media.sound_of([part], [life], part.frames),
        },
        rounds,
    )
    rates = []
    for name, values in taken.items():
        amount = SECONDS if "voice" in name else part.rows
        rates.append(amount / statistics.median(values))
        print(f"{name}: {spread(values)} s, {rates[-1]:.0f} a second")
    more = {"crops_a_second_as_in_a_corpus": round(rates[1]), "voice_times_real_time": round(rates[2])}
    report(
        "synth", rates[0], WANTED_CROPS_A_SECOND, "crops a second", rates[0] / WANTED_CROPS_A_SECOND, **more
    )
