"""`--mode=train`: run the loop, and tell how it went and what to type next."""

import sys
from pathlib import Path

import jax
from ml_collections import ConfigDict

from abaw_jax.progress import silent
from abaw_jax.terminal import progress
from abaw_jax.train import history as histories
from abaw_jax.train.data import Data
from abaw_jax.train.guards import DIVERGED, STOPPED, Diverged
from abaw_jax.train.loop import Outcome, train
from abaw_jax.train.run import Run
from abaw_jax.train.state import count


def run(config: ConfigDict, data: Data, workdir: Path) -> int:
    """Returns the exit code: 0, STOPPED where a signal ended it and the same command goes on, or DIVERGED."""
    is_main, run = jax.process_index() == 0, Run.of(config, data)
    if is_main:
        windows = sum(len(part.plan) for part in run.training)
        print(f"{count(run.shapes.params):,} parameters, {windows:,} windows to learn from; {workdir}")
    try:
        with progress("train") as show:
            outcome = train(run, workdir, show if is_main else silent)
    except Diverged as error:
        print(f"train: {error}: {workdir}", file=sys.stderr)
        return DIVERGED
    if is_main:
        _tell(outcome, config, workdir)
    return STOPPED if outcome.stopped_by else 0


def _tell(outcome: Outcome, config: ConfigDict, workdir: Path) -> None:
    top = histories.best(outcome.history)
    if top:
        last = outcome.history[-1]
        print(
            f"{config.task}: {top['score']:.4f} at step {top['step']} (best), "
            f"{last['score']:.4f} at step {last['step']}"
        )
    if outcome.stopped_by:
        print(f"stopped by {outcome.stopped_by} after step {outcome.step}; the same command goes on")
    else:
        print(f"done after step {outcome.step}; {workdir}")
        print(f"next: python -m abaw_jax.main --mode=evaluate --checkpoint={workdir}")
