"""`--mode=train`: run the loop, and tell how it went and what to type next."""

from pathlib import Path

import jax
from ml_collections import ConfigDict

from abaw_jax.progress import silent
from abaw_jax.terminal import progress
from abaw_jax.train import history as histories
from abaw_jax.train.data import Data
from abaw_jax.train.guards import STOPPED
from abaw_jax.train.loop import Outcome, train
from abaw_jax.train.run import Run


def run(config: ConfigDict, data: Data, workdir: Path) -> int:
    """Returns the exit code: 0, or STOPPED where a signal ended it and the same command goes on."""
    is_main = jax.process_index() == 0
    with progress("train") as show:
        outcome = train(Run.of(config, data), workdir, show if is_main else silent)
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
