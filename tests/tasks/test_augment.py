"""Augmentation changes what it says and nothing else, follows its key, and is off by default."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.tasks.augment import Augment, partners, warped, without_band
from tests.nn.definitions import random

STREAMS = ("video", "audio")


def batch_of(rows: int = 6, t: int = 8) -> dict:
    batch = {"video": random(rows, t, 3), "audio": random(rows, 2 * t, 4)}
    batch |= {"present/video": jnp.ones((rows, t), bool).at[0, 2].set(False)}
    batch |= {"present/audio": jnp.ones((rows, 2 * t), bool).at[1].set(False)}
    batch |= {"va": random(rows, t, 2), "va_mask": jnp.ones((rows, t), bool).at[2, 4].set(False)}
    return batch | {"track": jnp.arange(rows), "row": jnp.tile(jnp.arange(t)[None], (rows, 1))}


def run(seed: int = 0, **settings) -> dict:
    return Augment(STREAMS, ("audio",), **settings)(batch_of(), jax.random.key(seed))


def changed(out: dict) -> set[str]:
    before = batch_of()
    return {key for key in before if not np.array_equal(before[key], out[key])}


@pytest.mark.parametrize(
    ("settings", "touched"),
    [
        ({}, set()),
        ({"noise": 0.1}, {"video", "audio"}),
        ({"warp": 0.8}, {"video", "audio", "present/video", "va", "va_mask"}),
        ({"bands": 2}, {"audio"}),
        ({"modality_dropout": 0.7}, {"present/video", "present/audio"}),
        ({"mixup": 0.4}, {"video", "audio"}),
    ],
)
def test_each_touches_what_it_should(settings: dict, touched: set[str]):
    outs = [run(seed, **settings).batch for seed in range(4)]
    assert set().union(*map(changed, outs)) == touched
    out = outs[0]
    assert {key: value.shape for key, value in out.items()} == {k: v.shape for k, v in batch_of().items()}


EVERYTHING = {"noise": 0.1, "warp": 0.5, "mixup": 0.4, "modality_dropout": 0.5, "bands": 2}


def test_it_follows_its_key_alone():
    ours, again, other = (run(seed, **EVERYTHING) for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, ours, again)
    assert not np.array_equal(ours.batch["video"], other.batch["video"])


def test_noise_has_the_deviation_that_is_asked_for():
    added = np.concatenate(
        [(run(seed, noise=0.3).batch["video"] - batch_of()["video"]).ravel() for seed in range(30)]
    )
    assert added.std() == pytest.approx(0.3, rel=0.05)
    assert abs(added.mean()) < 0.02


def test_a_warp_keeps_the_ends_and_the_order_and_moves_the_middle_where_it_says():
    x = jnp.tile(jnp.arange(101.0)[None, :, None], (2, 1, 1))
    out = np.asarray(warped(x, jnp.array([0.5, 0.3]), jnp.array([0.6, 0.2])))[..., 0]
    assert out[:, 0].tolist() == [0, 0] and out[:, -1].tolist() == [100, 100]
    assert (np.diff(out, axis=1) >= 0).all()
    assert out[0, 50] == 60 and out[1, 30] == 20


def test_streams_of_other_clocks_and_labels_are_warped_alike():
    t = jnp.linspace(0, 1, 33)
    batch = batch_of() | {
        "video": jnp.tile(t[None, ::4, None], (6, 1, 1)),
        "audio": jnp.tile(t[None, :, None], (6, 1, 1)),
    }
    batch |= {"present/audio": jnp.ones((6, 33), bool), "present/video": jnp.ones((6, 9), bool)}
    batch |= {"va": jnp.tile(t[None, ::4, None], (6, 1, 2)), "va_mask": jnp.ones((6, 9), bool)}
    out = Augment(STREAMS, warp=0.9)(batch, jax.random.key(0)).batch
    np.testing.assert_array_equal(out["va"][..., :1], out["video"])
    np.testing.assert_allclose(out["audio"][:, ::4], out["video"], atol=0.11)


def test_up_to_so_many_neighbours_are_masked_all_through_a_window():
    widths = set()
    for seed in range(40):
        lost = np.asarray(without_band(jax.random.key(seed), jnp.ones((3, 5, 9)), 3)) == 0
        assert (lost == lost[:, :1]).all()
        for row in lost[:, 0]:
            found = np.flatnonzero(row)
            assert len(found) <= 3 and (np.diff(found) == 1).all()
            widths.add(len(found))
    assert widths == {0, 1, 2, 3}


def test_a_window_never_loses_the_last_stream_it_has():
    for seed in range(20):
        out = run(seed, modality_dropout=0.9).batch
        left = np.stack([out[f"present/{name}"].any(axis=1) for name in STREAMS])
        assert left.any(axis=0).all()
        assert left[0, 1], "the second window has no sound to fall back on"


def test_partners_have_labels_of_the_same_tasks():
    has = jnp.asarray([[True, False]] * 3 + [[False, True]] * 2 + [[True, True]])
    seen = np.stack([np.asarray(partners(jax.random.key(seed), has)) for seed in range(50)])
    for row, others in enumerate(({1, 2}, {0, 2}, {0, 1}, {4}, {3}, {5})):
        assert set(seen[:, row]) == others, "somebody else, where there is somebody"


def test_mixed_features_lie_between_a_window_and_its_partner():
    out, before = run(mixup=0.4), batch_of()
    partner = [
        int((np.asarray(before["va"]) == np.asarray(labels)).all((1, 2)).argmax())
        for labels in out.partners["va"]
    ]
    x, y = np.asarray(before["video"]), np.asarray(before["video"])[partner]
    there = np.asarray(before["present/video"] & before["present/video"][jnp.asarray(partner)])[..., None]
    wanted = np.where(there, out.share * x + (1 - out.share) * y, x)
    np.testing.assert_allclose(out.batch["video"], wanted, atol=1e-6)
    np.testing.assert_array_equal(out.batch["audio"][1], before["audio"][1])  # it has no sound of its own
