"""Batches across tracks: vectors come back in order, and what stands between inputs stays between them."""

from concurrent.futures import Future

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abaw_jax.encoders.encoder import Encoder
from abaw_jax.extract.batches import Batcher
from abaw_jax.extract.device import Device


def doubling() -> Encoder:
    return Encoder(
        name="double", modality="face", shape=(1,), preprocess=lambda x: x, variables={"two": jnp.float32(2)},
        apply=lambda variables, x: x * variables["two"], identity={}, input_shape=(1,),
    )  # fmt: skip


@given(st.lists(st.sampled_from(["put", "then", "flush"]), max_size=40), st.integers(1, 7))
def test_everything_happens_in_the_order_it_was_asked_for(steps: list[str], size: int):
    device, seen, expected = Device(), [], []
    batcher = Batcher(doubling(), device, size)
    for number, step in enumerate(steps):
        if step == "put":
            batcher.put(np.full(1, number, np.float32), lambda vector: seen.append(float(vector[0])))
            expected.append(2.0 * number)
        elif step == "then":
            batcher.then(lambda n=number: seen.append(f"after {n}"))
            expected.append(f"after {number}")
        else:
            batcher.flush()
            assert seen == expected
    batcher.flush()
    device.close()
    assert seen == expected


def test_no_batch_is_sent_before_it_is_full_and_shapes_never_change(monkeypatch):
    sent: list[tuple] = []
    device = Device()

    def runner(encoder):
        def run(batch):
            sent.append(batch.shape)
            future: Future = Future()
            future.set_result(batch)
            return future

        return run

    monkeypatch.setattr(device, "runner", runner)
    batcher = Batcher(doubling(), device, 4)
    for number in range(11):
        batcher.put(np.full(1, number, np.float32), lambda vector: None)
    assert sent == [(4, 1)] * 2
    batcher.flush()
    assert sent == [(4, 1)] * 3
    device.close()


def test_what_goes_wrong_on_the_device_reaches_who_asked():
    encoder = doubling()

    def broken(variables, x):
        raise RuntimeError("no such kernel")

    object.__setattr__(encoder, "apply", broken)
    device = Device()
    batcher = Batcher(encoder, device, 1)
    batcher.put(np.zeros(1, np.float32), lambda vector: None)
    with pytest.raises(RuntimeError, match="no such kernel"):
        batcher.flush()
    device.close()


def test_the_busy_share_counts_time_with_work():
    import time

    device = Device()
    time.sleep(0.05)
    with device._working():
        time.sleep(0.15)
        with device._working():
            time.sleep(0.1)
    share = device.busy_share
    time.sleep(0.1)
    assert 0.6 < share < 0.95
    assert device.busy_share < share
    device.close()
