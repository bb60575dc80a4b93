"""Batches are the windows' own vectors and labels, in an order that only seed and step decide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abaw_jax.corpus.containers import VideoFacts
from abaw_jax.corpus.tracks import Track
from abaw_jax.inputs.loader import Loader, Pool, evaluation_batches
from abaw_jax.inputs.order import Order, share
from abaw_jax.inputs.plan import make_plan
from abaw_jax.inputs.source import LabelChoice, StoreSource
from abaw_jax.inputs.windows import Rows, WindowSpec, contiguous
from abaw_jax.store.features import Store
from abaw_jax.store.spec import FeatureSpec, Grid

ROWS = {"a": 23, "b": 7, "c": 0, "d": 41}


def track(name: str, rows: int) -> Track:
    rng = np.random.default_rng(rows)
    labels = {
        ("va", 10): {"va": rng.uniform(-1, 1, (rows, 2)), "va_mask": rng.random(rows) < 0.8},
        ("au", 10): {"au": rng.integers(0, 2, (rows, 12)), "au_mask": rng.random((rows, 12)) < 0.8},
    }
    return Track(name, rows, labels, {}, {}, facts=VideoFacts(25.0, rows, rows / 25))


@pytest.fixture
def source(tmp_path) -> StoreSource:
    """Vectors that say where they are from: (track, row), with holes."""
    features = {}
    for stream, width in (("video", 2), ("audio", 3)):
        folder = Store(tmp_path).create(FeatureSpec(stream, (width,), Grid(), {}, "float16"))
        for number, (name, rows) in enumerate(ROWS.items()):
            writer = folder.writer(name, rows)
            for row in range(rows):
                if (row + number) % 5 == 0:
                    writer.skip(1)
                else:
                    writer.append(np.full((1, width), 100 * number + row))
            writer.commit({})
        features[stream] = folder
    return StoreSource([track(*item) for item in ROWS.items()], features, LabelChoice(("va", "expr", "au")))


SPECS = {
    "contiguous": contiguous(8, ("video", "audio"), 4, 4),
    "clamped": contiguous(8, ("video", "audio"), 4, 4, edge="clamp"),
    "odd": WindowSpec((0,), {"video": Rows((-4, -2, -1, 0)), "audio": Rows((0, 0, 1))}, 3, 1),
}


@pytest.mark.parametrize("kind", SPECS)
def test_a_batch_is_what_its_windows_say(kind: str, source: StoreSource):
    plan = make_plan(SPECS[kind], source.timelines, source.grids, for_training=False)
    windows = np.random.default_rng(0).permutation(len(plan))
    batch = source.read(plan, windows)
    names, tracks = list(ROWS), [track(*item) for item in ROWS.items()]
    for place, window in enumerate(windows):
        number, anchor = plan.track[window], plan.anchor[window]
        assert batch["track"][place] == number
        for stream in ("video", "audio"):
            for n, offset in enumerate(SPECS[kind].reaches[stream].offsets):
                row = int(anchor) + offset
                if kind == "clamped":
                    row = min(max(row, 0), ROWS[names[number]] - 1)
                is_there = 0 <= row < ROWS[names[number]] and (row + number) % 5 != 0
                assert batch[f"present/{stream}"][place, n] == is_there
                assert (batch[stream][place, n] == (100 * number + row if is_there else 0)).all()
        for n, offset in enumerate(SPECS[kind].targets):
            row = int(anchor) + offset
            is_row = 0 <= row < ROWS[names[number]]
            assert batch["row"][place, n] == (row if is_row else -1)
            labels = tracks[number].labels_for("va")
            assert batch["va_mask"][place, n] == (is_row and labels["va_mask"][row])
            wanted = labels["va"][row] if batch["va_mask"][place, n] else 0
            np.testing.assert_allclose(batch["va"][place, n], wanted, rtol=1e-6)
    assert batch["expr_mask"].sum() == 0
    assert batch["video"].dtype == np.float16


@given(windows=st.integers(1, 30), batch=st.integers(1, 12), seed=st.integers(0, 3), step=st.integers(0, 50))
def test_an_epoch_takes_every_window_once_and_the_next_in_another_order(windows, batch, seed, step):
    order = Order(windows, batch, seed)
    drawn = np.concatenate([order.batch(k) for k in range(2 * windows)])
    for epoch in range(len(drawn) // windows):
        assert sorted(drawn[epoch * windows : (epoch + 1) * windows]) == list(range(windows))
    np.testing.assert_array_equal(Order(windows, batch, seed).batch(step), order.batch(step))


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("threads", [0, 1, 2])
def test_processes_and_threads_make_no_difference(processes: int, threads: int, source: StoreSource):
    plan = make_plan(SPECS["contiguous"], source.timelines, source.grids, for_training=True)
    pools = [Pool(source, plan, Order(len(plan), rows, seed)) for rows, seed in ((1, 1), (3, 2))]
    loaders = [Loader(pools, p, processes, threads) for p in range(processes)]
    whole = Loader(pools)
    for step, parts in enumerate(zip(*(loader.from_step(5, 25) for loader in loaders), strict=True), start=5):
        wanted = whole.batch(step)
        for key, value in wanted.items():
            np.testing.assert_array_equal(np.concatenate([part[key] for part in parts]), value)


def test_begun_at_a_step_it_goes_on_as_if_never_stopped(source: StoreSource):
    plan = make_plan(SPECS["odd"], source.timelines, source.grids, for_training=True)
    loader = Loader([Pool(source, plan, Order(len(plan), 5, seed=2))], threads=2)
    all_of_it = list(loader.from_step(0, 30))
    for batch, wanted in zip(loader.from_step(17, 30), all_of_it[17:], strict=True):
        for key, value in wanted.items():
            np.testing.assert_array_equal(batch[key], value)


@pytest.mark.parametrize("processes", [1, 2])
def test_evaluation_sees_every_window_once_and_marks_what_fills_up(processes: int, source: StoreSource):
    plan = make_plan(SPECS["odd"], source.timelines, source.grids, for_training=False)
    seen = []
    for process in range(processes):
        for batch in evaluation_batches(source, plan, 8, process, processes):
            seen += list(
                zip(batch["track"][batch["is_real"]], batch["row"][batch["is_real"], 0], strict=True)
            )
    assert sorted(seen) == sorted(zip(plan.track, plan.anchor, strict=True))


def test_several_plans_share_a_batch_by_fixed_quotas(source: StoreSource):
    plans = [
        make_plan(SPECS[kind], source.timelines, source.grids, True) for kind in ("contiguous", "clamped")
    ]
    orders = [Order(len(plans[0]), 3, 0), Order(len(plans[1]), 2, 1)]
    pools = [Pool(source, plan, order) for plan, order in zip(plans, orders, strict=True)]
    batch = Loader(pools).batch(7)
    for part, plan, order, rows in zip("xy", plans, orders, (slice(0, 3), slice(3, 5)), strict=True):
        wanted = source.read(plan, order.batch(7))
        for key, value in wanted.items():
            shift = len(ROWS) * (part == "y") * (key == "track")
            np.testing.assert_array_equal(batch[key][rows], value + shift if shift else value)


def test_rows_of_a_batch_are_told_by_name(source: StoreSource):
    plan = make_plan(SPECS["contiguous"], source.timelines, source.grids, for_training=True)
    order = Order(len(plan), 2, 0)
    window = order.batch(3)[0]
    name, first = plan.tracks[plan.track[window]], plan.anchor[window] + 1
    last = min(first + 7, ROWS[name])
    assert Loader([Pool(source, plan, order)]).rows(3)[0] == f"{name}, rows {first} to {last}"


def test_what_does_not_divide_is_named():
    with pytest.raises(ValueError, match="a batch of 9 does not divide over 2 processes"):
        share(9, 0, 2)
    with pytest.raises(ValueError, match="found no window to train on"):
        Order(0, 4, 0)
