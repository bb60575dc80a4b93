"""At the published sizes the systems have as many parameters as the published ones."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.models.registry import make_model
from tests.of_configs import batch_of as batch_of_config
from tests.of_configs import config_of, task_of


def batch_of(**shapes: tuple[int, ...]) -> dict:
    """[rows, numbers…] of each stream."""
    batch = {}
    for name, (rows, *shape) in shapes.items():
        batch[name], batch[f"present/{name}"] = jnp.zeros((1, rows, *shape)), jnp.ones((1, rows), bool)
    return batch


def parameters(config: str, batch: dict, but: str = "$^", **settings) -> int:
    """Of the full variant, without those whose name has `but`."""
    name, _, variant = config.partition(":")
    config = config_of(name, f"{variant}_full".lstrip("_"))
    chosen = dict(config.model) | settings
    streams = tuple(key for key in batch if not key.startswith("present/"))
    model = make_model(chosen.pop("name"), chosen, streams=streams, tasks=(config.task,))
    shapes = jax.eval_shape(model.init, jax.random.key(0), batch)["params"]
    leaves = jax.tree_util.tree_leaves_with_path(shapes)
    return sum(leaf.size for path, leaf in leaves if not re.search(but, jax.tree_util.keystr(path)))


FACES, VGGISH = (300, 512), (300, 128)


@pytest.mark.parametrize(("third", "count"), [((300, 39), 4_155_586), ((300, 128), 4_258_114)])
def test_b_with_mfcc_or_log_mel(third: tuple[int, int], count: int):
    """The published module carries 128 more, in two norms that nothing uses."""
    assert parameters("va_interactive", batch_of(video=FACES, audio=VGGISH, third=third)) == count


def test_c():
    assert parameters("expr_text_guided", batch_of(video=(90, 512), audio=(149, 768))) == 12_863_240


@pytest.mark.parametrize(("temporal", "count"), [("gru", 3_387_266), ("tcn", 3_252_098)])
def test_d_without_the_adapter(temporal: str, count: int):
    batch = batch_of(video=(20, 512), audio=(1213, 768))
    assert parameters("va_soft_prompt", batch, but="adapter", temporal=temporal) == count


def test_e():
    """About 33.1 and 78.6 million, as counted from the authors' code."""
    batch = batch_of(video=(100, 768))
    assert round(parameters("masked_transformer:va", batch, but="flat|heads") / 1e6, 1) == 33.1
    whole, trunk = (parameters("masked_transformer:va", batch, but=but) for but in ("heads", "heads|flat'"))
    assert round((whole - trunk) / 1e6, 1) == 78.6


def test_js_loss_weighs_units_as_the_code_that_it_builds_on():
    """What a sigmoid of a half costs, active or not, is in proportion to the weight of its unit."""
    config = config_of("au_local_global")
    config.window.rows = 4
    task, batch = task_of(config), batch_of_config(config, rows=2)
    batch = jax.tree.map(jnp.asarray, batch | {"au_mask": np.ones_like(batch["au_mask"])})
    cost = jax.grad(lambda logits: task._of_part("au", {"au": logits}, batch))(jnp.zeros(batch["au"].shape))
    weights = [
        5.2782,
        12.4268,
        3.9182,
        2.3714,
        1.5735,
        1.8198,
        2.5866,
        22.6602,
        20.1212,
        22.1050,
        1.0,
        8.2648,
    ]
    share = np.abs(cost)[0, 0] / np.abs(cost)[0, 0, 10]
    np.testing.assert_allclose(share, weights, rtol=1e-5)
