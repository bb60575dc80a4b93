"""Attention is its definition, also where its weights are shared out softly or not at all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.nn.multihead import MultiHead, PostNormLayer, weigh
from tests.encoders.tiny_shapes import drawn
from tests.nn.definitions import exact, linear, multi_head, norm, random, relu, some


@pytest.mark.parametrize("is_soft", [True, False])
def test_attention_is_its_definition(is_soft: bool):
    x, memory = random(2, 4, 6), random(2, 5, 3)
    share = jax.nn.sigmoid(random(2, 1, 4, 5)) if is_soft else some(2, 1, 4, 5)
    module = MultiHead(heads=2, width=8)
    variables = drawn(module.init, x, memory, share)
    ours = module.apply(variables, x, memory, share)
    for b in range(2):
        wanted = multi_head(*exact((variables["params"], x[b], memory[b], share[b, 0])), heads=2)
        np.testing.assert_allclose(ours[b], wanted, atol=1e-5)


def test_who_may_hear_nothing_hears_zeros_and_has_finite_gradients():
    scores, share = 1e4 * random(1, 1, 2, 3), jnp.zeros((1, 1, 2, 3)).at[0, 0, 0, 1].set(1.0)
    weights, pull = jax.vjp(weigh, scores, share)
    np.testing.assert_array_equal(weights[0, 0], [[0, 1, 0], [0, 0, 0]])
    assert all(np.isfinite(leaf).all() for leaf in pull(jnp.ones_like(weights)))


def test_a_post_norm_layer_is_its_definition():
    x, memory, present = random(1, 4, 6), random(1, 5, 6), some(1, 5)
    module = PostNormLayer(heads=3, hidden=7)
    variables = drawn(module.init, x, present, memory)
    ours = module.apply(variables, x, present, memory)[0]
    p, x, memory, share = exact((variables["params"], x[0], memory[0], present))
    heard = norm(p["attention_norm"], x + multi_head(p["attention"], x, memory, share, heads=3))
    wanted = norm(p["network_norm"], heard + linear(p["down"], relu(linear(p["up"], heard))))
    np.testing.assert_allclose(ours, wanted, atol=1e-5)


@pytest.mark.parity
def test_a_post_norm_layer_is_torchs():
    torch = pytest.importorskip("torch")
    x, present = random(2, 5, 6), some(2, 5).at[:, 0].set(True)
    module = PostNormLayer(heads=3, hidden=7)
    variables = drawn(module.init, x, present)
    theirs = torch.nn.TransformerEncoderLayer(6, 3, 7, batch_first=True).eval()
    p = jax.tree.map(lambda leaf: torch.tensor(np.asarray(leaf)), variables["params"])
    state = {"linear1": p["up"], "linear2": p["down"], "self_attn.out_proj": p["attention"]["out"]}
    weights = {f"{k}.weight": v["kernel"].T for k, v in state.items()}
    weights |= {f"{k}.bias": v["bias"] for k, v in state.items()}
    for name, key in (("norm1", "attention_norm"), ("norm2", "network_norm")):
        weights |= {f"{name}.weight": p[key]["scale"], f"{name}.bias": p[key]["bias"]}
    qkv = [p["attention"][name] for name in "qkv"]
    weights["self_attn.in_proj_weight"] = torch.cat([each["kernel"].T for each in qkv])
    weights["self_attn.in_proj_bias"] = torch.cat([each["bias"] for each in qkv])
    theirs.load_state_dict(weights)
    absent = ~torch.tensor(np.asarray(present))
    with torch.no_grad():
        wanted = theirs(torch.tensor(np.asarray(x)), src_key_padding_mask=absent).numpy()
    ours = module.apply(variables, x, present)
    np.testing.assert_allclose(ours[present], wanted[present], atol=1e-5)


@pytest.mark.parametrize("drops_sums", [True, False])
def test_what_is_added_is_dropped_where_it_is_asked(drops_sums: bool):
    x, present = random(1, 4, 6), some(1, 4)
    module = PostNormLayer(heads=3, hidden=7, dropout=1.0, drops_sums=drops_sums)
    variables = drawn(module.init, x, present)
    ours = module.apply(variables, x, present, train=True)[0]
    p, x = exact((variables["params"], x[0]))  # of all weights and all that is hidden, biases are left
    heard, y = (0, 0) if drops_sums else (p["attention"]["out"]["bias"], p["down"]["bias"])
    wanted = norm(p["network_norm"], norm(p["attention_norm"], x + heard) + y)
    np.testing.assert_allclose(ours, wanted, atol=1e-5)
