"""`--mode=train`: run the loop, and tell how it went and what to type next."""

import sys
from pathlib import Path

import jax

from abaw_jax.progress import silent
from abaw_jax.terminal import progress
from abaw_jax.train import history as histories
from abaw_jax.train.engine import Engine
from abaw_jax.train.guards import DIVERGED, STOPPED, Diverged
from abaw_jax.train.loop import Outcome, train
from abaw_jax.train.state import count


def run(run: Engine, workdir: Path) -> int:
    """Returns the exit code: 0, STOPPED where a signal ended it and the same command goes on, or DIVERGED."""
    is_main = jax.process_index() == 0
    if is_main:
        print(f"{count(run.shapes.params):,} parameters, {run.windows:,} windows to learn from; {workdir}")
    try:
        with progress("train") as show:
            outcome = train(run, workdir, show if is_main else silent)
    except Diverged as error:
        print(f"train: {error}: {workdir}", file=sys.stderr)
        return DIVERGED
    if is_main:
        _tell(outcome, run, workdir)
    return STOPPED if outcome.stopped_by else 0


def _tell(outcome: Outcome, run: Engine, workdir: Path) -> None:
    top = histories.best(outcome.history)
    if top:
        last = outcome.history[-1]
        print(
            f"{run.task.name}: {top['score']:.4f} at step {top['step']} (best), "
            f"{last['score']:.4f} at step {last['step']}"
        )
    if outcome.stopped_by:
        print(f"stopped by {outcome.stopped_by} after step {outcome.step}; the same command goes on")
    else:
        print(f"done after step {outcome.step}; {workdir}")
