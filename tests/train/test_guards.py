"""Signals, the watchdog, and settings that cannot be: processes of their own, since they end."""

import dataclasses
import signal
import subprocess
import sys
import time

import pytest

from abaw_jax.train.guards import Watchdog, listening
from abaw_jax.train.run import Run

ASKED = """
import os, signal, sys, time
from abaw_jax.train.guards import listening

with listening() as stop:
    for number in range(int(sys.argv[1])):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        print("asked by", stop.asked, flush=True)
print("left", flush=True)
"""
HANGS = """
import time
from abaw_jax.train.guards import Watchdog

def a_step_that_hangs():
    time.sleep(60)

with Watchdog(0.3):
    a_step_that_hangs()
"""


def test_the_first_signal_asks_and_the_second_kills():
    once, twice = (
        subprocess.run([sys.executable, "-c", ASKED, str(times)], capture_output=True, text=True)
        for times in (1, 2)
    )
    assert (once.returncode, once.stdout.split("\n")) == (0, ["asked by SIGTERM", "left", ""])
    assert (twice.returncode, twice.stdout) == (-signal.SIGTERM, "asked by SIGTERM\n")


def test_what_signals_did_before_they_do_again():
    before = signal.getsignal(signal.SIGUSR1)
    with listening():
        assert signal.getsignal(signal.SIGUSR1) != before
    assert signal.getsignal(signal.SIGUSR1) == before


def test_a_step_that_hangs_ends_with_its_stack():
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=50)
    assert done.returncode == 1
    assert "a_step_that_hangs" in done.stderr
    assert time.monotonic() - began < 30


def test_a_watchdog_that_is_fed_or_off_bites_nobody():
    with Watchdog(0.3) as dog:
        for _ in range(5):
            time.sleep(0.1)
            dog.feed()
    with Watchdog(0):
        time.sleep(0.05)


@pytest.mark.parametrize("rows", [0, -4])
def test_a_batch_that_does_not_divide_is_named(rows: int, config, learnable):
    config.train.batch_size = rows
    with pytest.raises(
        ValueError, match=rf"train.batch_size: found {rows}, expected a multiple of the \d+ dev"
    ):
        Run.of(config, learnable)


def test_a_mix_that_does_not_add_up_is_named(config, make_run):
    config.train.mix = (("va", 5), ("va", 4))
    with pytest.raises(ValueError, match=r"train.mix: found 9 windows, expected train.batch_size=8"):
        _ = make_run(config).training


def test_a_stream_without_features_is_named(config, learnable):
    bare = dataclasses.replace(learnable, features={"audio": learnable.features["audio"]})
    with pytest.raises(ValueError, match="streams: found video, expected some of those there: audio"):
        _ = Run.of(config, bare).specs
