"""All ways of a depthwise convolution are one function, and padding is on every side."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from abaw_jax.nn.convolution import Conv, DepthwiseConv, by_place, grouped, shifted_sum


def random(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(sum(shape)).standard_normal(shape), jnp.float32)


SIDES = [((7, 7), 9, 11, 5), ((7, 7), 2, 3, 4), ((3, 3), 6, 1, 2), ((1, 1), 4, 5, 3), ((1, 21), 7, 7, 3)]


@pytest.mark.parametrize("way", [shifted_sum, by_place])
@pytest.mark.parametrize(("size", "h", "w", "d"), SIDES)
def test_a_sum_of_shifted_maps_and_a_product_are_the_grouped_convolution(way, size, h: int, w: int, d: int):
    x, kernel = random(2, h, w, d), random(*size, 1, d)
    np.testing.assert_allclose(way(x, kernel), grouped(x, kernel), atol=1e-5)


def test_in_bfloat16_the_sum_is_rounded_once():
    x, kernel = random(2, 9, 9, 8).astype(jnp.bfloat16), random(7, 7, 1, 8).astype(jnp.bfloat16)
    exact = shifted_sum(x.astype(jnp.float32), kernel.astype(jnp.float32))
    np.testing.assert_array_equal(shifted_sum(x, kernel), exact.astype(jnp.bfloat16))


def test_a_depthwise_convolution_adds_its_bias_and_keeps_the_size():
    x = random(2, 5, 6, 3)
    variables = {"params": {"kernel": jnp.zeros((7, 7, 1, 3)), "bias": jnp.arange(3.0)}}
    y = DepthwiseConv(7).apply(variables, x)
    np.testing.assert_array_equal(y, jnp.broadcast_to(jnp.arange(3.0), x.shape))


def test_a_dilated_convolution_is_that_of_a_kernel_with_holes():
    x, kernel = random(1, 9, 5, 2), random(3, 1, 2, 3)
    wide = jnp.zeros((5, 1, 2, 3)).at[::2].set(kernel)
    dilated = Conv(3, (3, 1), dilation=2).apply({"params": {"kernel": kernel}}, x)
    np.testing.assert_allclose(dilated, Conv(3, (5, 1)).apply({"params": {"kernel": wide}}, x), atol=1e-5)


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
