"""The loop. Killed anywhere and begun again, it ends where it would have ended.

1. The newest sound checkpoint is restored, or a fresh state made; log lines past it are cut.
2. Batches are a function of seed and step, the random key too; so every step repeats exactly.
3. At every evaluation the score joins the history, and state and history are saved together.
4. What adapts (rate at plateaus, early stopping) is computed from the history alone.
"""

import dataclasses
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from abaw_jax.progress import OnProgress, silent
from abaw_jax.train import history as histories
from abaw_jax.train.checkpoint import Checkpoints, as_target
from abaw_jax.train.engine import Chunk, Engine
from abaw_jax.train.guards import Diverged, Stop, Watchdog, listening
from abaw_jax.train.saved import check_features, check_rows
from abaw_jax.train.sharding import Agreement
from abaw_jax.train.state import State
from abaw_jax.train.workdir import as_json, claim, describe
from abaw_jax.train.writer import TIMINGS, Writer

NO_SCORE = -1e30
"""Of checkpoints between evaluations: never the best."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    step: int
    history: list[dict[str, Any]]
    stopped_by: str | None = None


def train(run: Engine, workdir: Path, on_progress: OnProgress = silent) -> Outcome:
    """From wherever the run is to its end, or to the next step's edge after a signal."""
    claim(workdir, run.config)
    checkpoints = Checkpoints(workdir / "checkpoints", run.config.train.keep_best)
    try:
        with listening() as stop, Watchdog(run.config.train.watchdog_s) as watchdog:
            loop = _Loop(run, workdir, checkpoints, stop, watchdog, on_progress)
            with loop.writer:
                return loop.run_to_the_end()
    finally:
        checkpoints.close()


class _Loop:
    """The parts that the loop moves."""

    def __init__(
        self, run: Engine, workdir: Path, kept: Checkpoints, stop: Stop, watchdog: Watchdog, show: OnProgress
    ) -> None:
        self.run, self.checkpoints, self.show = run, kept, show
        self.stop, self.watchdog = stop, watchdog
        restored = kept.latest(as_target(run.shapes, run.places))
        if restored:
            check_features(restored.notes, run.specs, workdir)
            check_rows(restored.notes, run.task.stats, workdir)
        self.state: State = restored.state if restored else run.fresh()
        self.step: int = restored.step if restored else 0
        self.history: list[dict[str, Any]] = restored.notes["history"] if restored else []
        if int(self.state.skipped) >= run.config.train.max_skipped:
            raise Diverged(f"stopped at step {self.step}, where too many updates in a row were not finite")
        describe(workdir, run.shapes.params)
        self.writer = Writer(workdir, self.step, is_main=jax.process_index() == 0)
        spent_s = restored.notes.get("seconds", 0.0) if restored else 0.0
        self.opened = time.monotonic() - spent_s
        self.began, self.waited_s = time.monotonic(), 0.0
        self.timed: int | None = None
        """The step from which on training is timed: the first call compiles."""
        self.pending: tuple[int, dict[str, Any]] | None = None
        self.agreement = Agreement(run.mesh) if jax.process_count() > 1 else None
        self.is_asked = False

    def run_to_the_end(self) -> Outcome:
        """Step, log, evaluate, save."""
        train = self.run.config.train
        scale = self._scale()
        chunks = self.run.chunks(self.step)
        while self.step < train.steps and not self._is_over():
            self.watchdog.feed()
            if self.agreement is not None:
                self.is_asked |= self.agreement.heard()
                self.agreement.say(bool(self.stop))
            chunk = self._next(chunks)
            self.state, shown = self.run.advance(self.state, chunk, scale)
            self._settle()  # the steps before: nobody waits for these
            self.pending = (self.step, shown)
            self.step += chunk.steps
            if self.agreement is None:  # looked at once a step: a signal that comes later is for the next
                self.is_asked = bool(self.stop)
            if self.step % train.eval_every == 0 or self.step == train.steps:
                self._evaluate()
                scale = self._scale()
            elif self.is_asked:
                self._settle()
                self._save(NO_SCORE)
        is_cut = self.is_asked and self.step < train.steps and not self._is_stalled()
        return Outcome(self.step, self.history, (self.stop.asked or "a signal elsewhere") if is_cut else None)

    def _is_over(self) -> bool:
        """All processes answer alike at the same step, whichever of them was asked to stop."""
        return self.is_asked or self._is_stalled()

    def _is_stalled(self) -> bool:
        return histories.is_stalled(self.history, self.run.config.train.patience)

    def _scale(self) -> np.float32:
        c = self.run.config.optimizer
        settings = c.plateau_factor, c.plateau_patience, c.plateau_least
        return np.float32(histories.plateau_scale(self.history, *settings))

    def _next(self, chunks: Iterator[Chunk]) -> Chunk:
        began = time.monotonic()
        chunk = next(chunks)
        self.waited_s += time.monotonic() - began
        return chunk

    def _settle(self) -> None:
        """Look at what finished steps showed."""
        if self.pending is None:
            return
        (before, shown), self.pending = self.pending, None
        if self.timed is None:  # compiled and under way: what is timed begins here
            jax.block_until_ready(shown)
            self.began, self.waited_s, self.timed = time.monotonic(), 0.0, self.step
        shown = {key: np.asarray(values) for key, values in shown.items()}
        for number in range(len(shown["loss"])):
            self._settle_one(before + 1 + number, {key: value[number] for key, value in shown.items()})

    def _settle_one(self, step: int, shown: dict[str, np.generic]) -> None:
        """Log it, or say which rows made it fail."""
        train = self.run.config.train
        if skipped := int(shown["skipped"]):
            rows = "; ".join(self.run.loader.rows(step - 1))
            logging.warning("step %d: not finite, update left out; its windows: %s", step, rows)
            if skipped >= train.max_skipped:
                self._save(NO_SCORE)
                raise Diverged(f"{skipped} updates in a row were not finite; the last good state is kept")
        if step % train.log_every == 0:
            self.writer.write(step, {key: float(value) for key, value in shown.items()} | self._timings())
            self._tell(step, shown)

    def _timings(self) -> dict[str, float]:
        passed = max(1e-9, time.monotonic() - self.began)
        return {
            f"{TIMINGS}steps_a_second": (self.step - self.timed) / passed,
            f"{TIMINGS}waiting_for_data": self.waited_s / passed,
        }

    def _tell(self, step: int, shown: dict[str, np.generic]) -> None:
        top = histories.best(self.history)
        best = f", best {self.run.task.score} {top['score']:.3f}" if top else ""
        rate, waiting = self._timings().values()
        note = f"loss {float(shown['loss']):.3f}{best}, {rate:.1f} steps/s, waiting for data {waiting:.0%}"
        self.show("training", step, self.run.config.train.steps, note)

    def _evaluate(self) -> None:
        self._settle()
        began = time.monotonic()
        scores = self.run.scores(self.state, self._alive)
        self.began += time.monotonic() - began  # what is timed is training
        score = scores[self.run.task.score]
        self.history.append({"step": self.step, "score": score, "scores": scores})
        self.writer.write(self.step, _flat(scores) | {f"{TIMINGS}seconds": time.monotonic() - self.opened})
        self._save(score)

    def _alive(self, stage: str, done: int, total: int | None, note: str = "") -> None:
        """Scoring may take longer than any step."""
        self.watchdog.feed()
        self.show(stage, done, total, note)

    def _save(self, score: float) -> None:
        self.writer.flush()
        notes = {
            "format": 1,
            "config": as_json(self.run.config),
            "features": {name: spec.as_dict() for name, spec in self.run.specs.items()},
            "stats": dataclasses.asdict(self.run.task.stats),
            "history": self.history,
            "seconds": time.monotonic() - self.opened,
            "versions": {"jax": jax.__version__},
        }
        self.checkpoints.save(self.state, notes, score)


def _flat(scores: dict[str, Any]) -> dict[str, float]:
    """Numbers by their path: `ccc/valence`."""
    found: dict[str, float] = {}
    for name, value in scores.items():
        if isinstance(value, dict):
            found |= {f"{name}/{key}": inner for key, inner in value.items()}
        elif value is not None:
            found[f"score/{name}"] = value
    return found
