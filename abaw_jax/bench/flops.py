"""Operations of a function's products and convolutions, counted in its jaxpr, loops as often as they run."""

import math
from collections.abc import Callable

import jax
from jax.extend import core


def flops(function: Callable, *args: object) -> float:
    """Two for every multiplication and addition; what is done elementwise is not counted."""
    return _count(jax.make_jaxpr(function)(*args).jaxpr)


def _count(jaxpr: core.Jaxpr) -> float:
    return sum(_of_equation(equation) for equation in jaxpr.eqns)


def _of_equation(equation: core.JaxprEqn) -> float:
    name, params = equation.primitive.name, equation.params
    size = math.prod(equation.outvars[0].aval.shape) if equation.outvars else 0
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        left = equation.invars[0].aval.shape
        return 2.0 * size * math.prod(left[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        return 2.0 * size * math.prod(kernel) / kernel[params["dimension_numbers"].rhs_spec[0]]
    times = params["length"] if name == "scan" else 1
    return times * sum(_count(inner) for inner in core.jaxprs_in_params(params))
