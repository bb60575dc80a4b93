"""Operations are counted as they are run, loops and groups included."""

import jax
import jax.numpy as jnp
from jax.lax import conv_general_dilated

from abaw_jax.bench.flops import flops


def test_products_batched_and_plain():
    assert flops(jnp.matmul, jnp.ones((3, 4, 5)), jnp.ones((3, 5, 6))) == 2 * 3 * 4 * 5 * 6
    assert flops(lambda x: jnp.exp(x) + x, jnp.ones(7)) == 0


def test_a_loop_counts_as_often_as_it_runs():
    def double(x):
        return jax.lax.map(lambda row: row @ jnp.ones((5, 2)), x)

    assert flops(jax.jit(double), jnp.ones((3, 4, 5))) == 2 * 3 * 4 * 5 * 2


def test_a_grouped_strided_convolution():
    def convolve(x, kernel):
        return conv_general_dilated(
            x, kernel, (2,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"), feature_group_count=2
        )

    assert flops(convolve, jnp.ones((3, 100, 8)), jnp.ones((5, 4, 6))) == 2 * 3 * 50 * 6 * 5 * 4
