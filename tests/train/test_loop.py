"""Stopped anywhere and begun again, a run ends where it would have ended, to the bit."""

import itertools
import json
import os
import signal
from pathlib import Path

import jax
import numpy as np
import pytest

from abaw_jax.report.ending import training_seconds
from abaw_jax.train.checkpoint import Checkpoints, as_target
from abaw_jax.train.guards import Diverged, Watchdog
from abaw_jax.train.loop import train
from abaw_jax.train.run import Run
from abaw_jax.train.saved import Saved


def lines(workdir: Path) -> list[dict]:
    """The log without timings."""
    read = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.startswith("time/")} for line in read]


def saved(run, workdir: Path):
    """(arrays and history of the newest checkpoint, steps that are kept)"""
    checkpoints = Checkpoints(workdir / "checkpoints", run.config.train.keep_best)
    found = checkpoints.latest(as_target(run.shapes, run.places))
    steps = checkpoints.steps()
    checkpoints.close()
    return jax.tree.map(np.asarray, found.state), found.notes["history"], steps


def assert_same(one, other) -> None:
    assert jax.tree.structure(one[0]) == jax.tree.structure(other[0])
    for a, b in zip(jax.tree.leaves(one[0]), jax.tree.leaves(other[0]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one[1:] == other[1:]


def on_step(monkeypatch, act) -> None:
    """`act(step, batch)` with every training batch on its way to the devices; it may give another one."""
    put, count = Run.put, itertools.count(1)

    def put_and_act(self, batch):
        if "is_real" not in batch:
            batch = act(next(count), dict(batch)) or batch
        return put(self, batch)

    monkeypatch.setattr(Run, "put", put_and_act)


def wrong(batch) -> dict:
    """Labels that make no sense and are not masked."""
    return {"va": np.full_like(batch["va"], np.nan), "va_mask": np.ones_like(batch["va_mask"])}


def test_a_run_learns_and_is_done(undisturbed):
    run, workdir = undisturbed
    _, history, steps = saved(run, workdir)
    assert [entry["step"] for entry in history] == [6, 12, 18, 24]
    assert history[-1]["score"] > 0.1
    assert {18, 24} <= set(steps)
    before = (workdir / "metrics.jsonl").read_bytes()
    assert train(run, workdir).step == 24
    assert (workdir / "metrics.jsonl").read_bytes() == before


def test_a_run_repeats_itself(undisturbed, make_run, tmp_path: Path):
    run, workdir = undisturbed
    train(make_run(run.config), tmp_path)  # compiled anew, too
    assert lines(tmp_path) == lines(workdir)
    assert_same(saved(run, tmp_path), saved(run, workdir))


@pytest.mark.parametrize(("number", "at"), [(signal.SIGTERM, 3), (signal.SIGINT, 6), (signal.SIGUSR1, 17)])
def test_signals_stop_at_a_steps_edge_and_change_nothing(
    number, at: int, undisturbed, monkeypatch, tmp_path: Path
):
    run, workdir = undisturbed
    with monkeypatch.context() as patch:
        on_step(patch, lambda step, batch: os.kill(os.getpid(), number) if step == at else None)
        outcome = train(run, tmp_path)
    assert (outcome.step, outcome.stopped_by) == (at, number.name)
    spent_s = Saved.find(tmp_path / "checkpoints" / str(at)).notes["seconds"]
    outcome = train(run, tmp_path)
    log = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    times = [line["time/seconds"] for line in log if "time/seconds" in line and line["step"] > at]
    assert min(times) > spent_s > 0  # of both processes together
    assert training_seconds(tmp_path / "metrics.jsonl") == max(times)
    assert (outcome.step, outcome.stopped_by) == (24, None)
    assert lines(tmp_path) == lines(workdir)
    assert_same(saved(run, tmp_path), saved(run, workdir))


def test_scoring_is_no_step_that_hangs_and_puts_a_batch_on_the_devices_once(
    undisturbed, make_run, monkeypatch, tmp_path: Path
):
    run = make_run(undisturbed[0].config)
    fed, put, whole = [], [], Run.put
    monkeypatch.setattr(Watchdog, "feed", lambda self: fed.append(1))
    monkeypatch.setattr(Run, "put", lambda self, batch: put.append("is_real" in batch) or whole(self, batch))
    train(run, tmp_path)
    batches = 4 * -(-len(run.validation.plan) // run.config.train.batch_size)
    assert batches == 8
    assert put.count(True) == batches
    assert len(fed) >= run.config.train.steps + batches


def test_another_config_is_refused_and_the_keys_are_named(undisturbed, make_run):
    run, workdir = undisturbed
    other = run.config.copy_and_resolve_references()
    other.optimizer.learning_rate, other.train.threads = 0.5, 1
    with pytest.raises(
        ValueError, match=r"optimizer.learning_rate: found 0.001, expected 0.5\. Name another"
    ):
        train(make_run(other), workdir)


def test_what_is_not_finite_is_left_out_and_told(config, make_run, monkeypatch, tmp_path: Path, caplog):
    config.train.max_skipped = 100
    run = make_run(config)
    on_step(monkeypatch, lambda step, batch: batch | wrong(batch) if step == 3 else batch)
    assert train(run, tmp_path).step == 24
    (told,) = [record.message for record in caplog.records if "not finite" in record.message]
    assert told.startswith("step 3: not finite, update left out; its windows: video")
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(saved(run, tmp_path)[0]))


def test_too_many_in_a_row_end_the_run_with_the_last_good_state(config, make_run, monkeypatch, tmp_path):
    config.train.max_skipped, config.train.eval_every = 3, 100
    run = make_run(config)
    on_step(monkeypatch, lambda step, batch: batch | wrong(batch) if step > 5 else batch)
    with pytest.raises(Diverged, match="3 updates in a row"):
        train(run, tmp_path)
    state, _, _ = saved(run, tmp_path)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))
    with pytest.raises(Diverged, match="stopped at step 9, where too many updates in a row"):
        train(run, tmp_path)  # it is not done the second time


def test_it_stops_early_when_the_score_has_stalled(config, make_run, monkeypatch, tmp_path: Path):
    config.train.patience = 2
    evaluate = Run.evaluate
    monkeypatch.setattr(Run, "evaluate", lambda run, state, show: evaluate(run, run.fresh(), show))
    outcome = train(make_run(config), tmp_path)
    assert outcome.step == 18  # the first evaluation is the best, two more do not beat it
    assert train(make_run(config), tmp_path).step == 18
