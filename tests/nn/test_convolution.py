"""Both ways of a depthwise convolution are one function, and padding is on every side."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.nn.convolution import Conv, DepthwiseConv, grouped, shifted_sum


def random(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(sum(shape)).standard_normal(shape), jnp.float32)


@pytest.mark.parametrize(("size", "h", "w", "d"), [(7, 9, 11, 5), (7, 2, 3, 4), (3, 6, 1, 2), (1, 4, 5, 3)])
def test_a_sum_of_shifted_maps_is_the_grouped_convolution(size: int, h: int, w: int, d: int):
    x, kernel = random(2, h, w, d), random(size, size, 1, d)
    np.testing.assert_allclose(shifted_sum(x, kernel), grouped(x, kernel), atol=1e-5)


def test_in_bfloat16_the_sum_is_rounded_once():
    x, kernel = random(2, 9, 9, 8).astype(jnp.bfloat16), random(7, 7, 1, 8).astype(jnp.bfloat16)
    exact = shifted_sum(x.astype(jnp.float32), kernel.astype(jnp.float32))
    np.testing.assert_array_equal(shifted_sum(x, kernel), exact.astype(jnp.bfloat16))


def test_a_depthwise_convolution_adds_its_bias_and_keeps_the_size():
    x = random(2, 5, 6, 3)
    variables = {"params": {"kernel": jnp.zeros((7, 7, 1, 3)), "bias": jnp.arange(3.0)}}
    y = DepthwiseConv(7).apply(variables, x)
    np.testing.assert_array_equal(y, jnp.broadcast_to(jnp.arange(3.0), x.shape))


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (7, 2), (1, 1), (1, 2)])
def test_a_convolution_is_the_sum_over_its_padded_window(size: int, stride: int):
    x, edge = random(1, 7, 8, 2), size // 2
    kernel, bias = random(size, size, 2, 3), random(3)
    y = Conv(3, size, stride, use_bias=True).apply({"params": {"kernel": kernel, "bias": bias}}, x)
    padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    assert y.shape == (1, -(-7 // stride), -(-8 // stride), 3)
    for p in range(y.shape[1]):
        for q in range(y.shape[2]):
            top, left = p * stride, q * stride
            window = padded[0, top : top + size, left : left + size]
            wanted = np.einsum("ijc,ijcd->d", window, kernel) + bias
            np.testing.assert_allclose(y[0, p, q], wanted, atol=1e-4)
