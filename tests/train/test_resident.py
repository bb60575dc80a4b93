"""Gathered on the device or read on the host: the same batches to the bit, and the same learning."""

import json
import os
import signal

import jax
import numpy as np
import pytest

from abaw_jax.inputs.plan import make_plan
from abaw_jax.inputs.source import LabelChoice
from abaw_jax.inputs.windows import Rows, Seconds, WindowSpec, contiguous
from abaw_jax.train.loop import train
from abaw_jax.train.resident import Resident
from abaw_jax.train.run import Run, _edges
from tests.train.conftest import small_config
from tests.train.test_loop import assert_same, lines, saved

STREAMS = ("video", "audio")
SPECS = {edge: contiguous(12, STREAMS, 5, 5, edge=edge) for edge in ("mask", "clamp", "shift", "skip")} | {
    "past": WindowSpec((0,), {"video": Rows.span(-7, 1), "audio": Rows((-2, 0))}, 3, 1),
    "seconds": WindowSpec((0, 1), {"video": Seconds((-1.0, -0.4, 0.0)), "audio": Rows((0,))}, 2, 2),
}


@pytest.mark.parametrize("kind", SPECS)
def test_batches_are_equal_to_the_bit(kind: str, learnable):
    tracks = learnable.corpus.split("va", "train")
    source = learnable.source(tracks, LabelChoice(("va", "expr", "au")))
    plan = make_plan(SPECS[kind], source.timelines, source.grids, for_training=False)
    windows = np.random.default_rng(0).permutation(len(plan)).astype(np.int32)
    wanted = source.read(plan, windows)
    found = jax.jit(lambda resident, windows: resident.read(windows))(Resident.of(source, plan), windows)
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert (found[key].dtype, found[key].shape) == (value.dtype, value.shape), key
        assert np.asarray(found[key]).tobytes() == value.tobytes(), key


@pytest.mark.parametrize(("every", "stop"), [(4, 24), (6, 24), (5, 23), (100, 24)])
def test_calls_end_at_the_same_steps_wherever_a_run_goes_on(every: int, stop: int):
    config = resident_config(every)
    config.train.steps = stop
    edges = list(_edges(0, config.train))
    assert [a for a, _ in edges] == [0, *(b for _, b in edges[:-1])]
    assert {6, 12, 18, stop} <= {b for _, b in edges}
    for number, (first, _) in enumerate(edges):
        assert list(_edges(first, config.train)) == edges[number:]


def resident_config(steps_a_call: int):
    config = small_config()
    config.train.resident, config.train.steps_a_call = True, steps_a_call
    return config


@pytest.fixture(scope="module")
def resident(learnable, tmp_path_factory):
    """(run, workdir) of a whole run."""
    run, workdir = Run.of(resident_config(3), learnable), tmp_path_factory.mktemp("resident")
    train(run, workdir)
    return run, workdir


def test_losses_are_those_of_streamed_batches(resident, undisturbed):
    found, wanted = lines(resident[1]), lines(undisturbed[1])
    assert [line["step"] for line in found] == [line["step"] for line in wanted]
    for one, other in zip(found[:3], wanted[:3], strict=True):  # before rounding has had time to grow
        np.testing.assert_allclose(one["loss"], other["loss"], rtol=1e-6)


def test_no_step_of_the_call_that_compiles_counts_as_fast(resident):
    log = [json.loads(line) for line in (resident[1] / "metrics.jsonl").read_text().splitlines()]
    rates = {line["step"]: line["time/steps_a_second"] for line in log if "time/steps_a_second" in line}
    assert rates[2] == 0 < rates[4]  # of calls of three steps, logged every other step


def test_stopped_between_calls_it_ends_the_same(resident, monkeypatch, tmp_path):
    whole, workdir = resident
    seen, advance = [], Run.advance

    def stopping(self, state, chunk, scale):
        seen.append(chunk.steps)
        if len(seen) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return advance(self, state, chunk, scale)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "advance", stopping)
        assert train(whole, tmp_path).step == 9
    assert train(whole, tmp_path).step == 24
    assert lines(tmp_path) == lines(workdir)
    assert_same(saved(whole, tmp_path), saved(whole, workdir))
