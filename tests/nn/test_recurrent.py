"""The recurrent unit is its definition, either way, and passes over what is absent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.nn.recurrent import BothWays, Gru
from tests.encoders.tiny_shapes import drawn
from tests.nn.definitions import exact, linear, random, sigmoid, some


def run(p, x: np.ndarray, present: np.ndarray, rows) -> np.ndarray:
    w = len(p["kernel"])
    state, out = np.zeros(w), np.zeros((len(x), w))
    for t in rows:
        given, own = linear(p["given"], x[t]), state @ p["kernel"] + p["bias"]
        reset, update = sigmoid(given[: 2 * w] + own[: 2 * w]).reshape(2, w)
        new = np.tanh(given[2 * w :] + reset * own[2 * w :])
        state = (1 - update) * new + update * state if present[t] else state
        out[t] = state
    return out


@pytest.mark.parametrize("is_reversed", [True, False])
def test_it_is_its_definition(is_reversed: bool):
    x, present = random(2, 6, 3), some(2, 6)
    module = Gru(4, is_reversed)
    variables = drawn(module.init, x, present)
    ours, p = module.apply(variables, x, present), exact(variables["params"])
    rows = range(5, -1, -1) if is_reversed else range(6)
    for b in range(2):
        np.testing.assert_allclose(ours[b], run(p, np.float64(x[b]), present[b], rows), atol=1e-5)


@pytest.mark.parity
def test_both_ways_are_torchs():
    torch = pytest.importorskip("torch")
    x, present, module = random(2, 6, 3), jnp.ones((2, 6), bool), BothWays(4)
    variables = drawn(module.init, x, present)
    theirs = torch.nn.GRU(3, 4, bidirectional=True, batch_first=True)
    state = {}
    for name, end in (("past", ""), ("future", "_reverse")):
        p = jax.tree.map(lambda leaf: torch.tensor(np.asarray(leaf)), variables["params"][name])
        state |= {f"weight_ih_l0{end}": p["given"]["kernel"].T, f"bias_ih_l0{end}": p["given"]["bias"]}
        state |= {f"weight_hh_l0{end}": p["kernel"].T, f"bias_hh_l0{end}": p["bias"]}
    theirs.load_state_dict(state)
    with torch.no_grad():
        wanted = theirs(torch.tensor(np.asarray(x)))[0].numpy()
    np.testing.assert_allclose(module.apply(variables, x, present), wanted, atol=1e-5)
