"""The functions of one tensor, element by element, and their slopes, in any precision.

A result may be off by so many units in the last place of what is exact, or of `least` where that
is larger: the op's docstring says why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import mpmath as mp

import verigrad as vg
from verigrad.ops.activations import SELU_ALPHA, SELU_SCALE

Real = mp.mpf
Function = Callable[[Real], Real]
Least = Callable[[Real, Real], Real]
"""Of x and the smallest normal number."""
FAR = mp.mpf(10) ** 5
"""So far out, every exponential is 0 or infinite."""


class Row(NamedTuple):
    """A function, its slope where it has one, and what these are held to."""

    name: str
    build: Callable[[vg.Node], vg.Node]
    value: Function
    slope: Function | None
    least: Least = lambda x, n: mp.mpf(0)
    slope_least: Least = lambda x, n: mp.mpf(0)
    units: int = 4
    positive: bool = False


def near(x: Real) -> Real:
    return max(-FAR, min(x, FAR))


def exp(x: Real) -> Real:
    return mp.exp(near(x))


def sigmoid(x: Real) -> Real:
    return 1 / (1 + exp(-x))


def softplus(x: Real) -> Real:
    return max(x, 0) + mp.log1p(exp(-abs(x)))


def below(x: Real) -> Real:
    """P(Z < x) for a standard normal Z."""
    return mp.erfc(-near(x) / mp.sqrt(2)) / 2


def density(x: Real) -> Real:
    return exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def twice(x: Real) -> Real:
    """Twice what gelu by tanh gives to tanh."""
    return mp.sqrt(8 / mp.pi) * (x + mp.mpf("0.044715") * x**3)


def rise(x: Real) -> Real:
    """The slope of `twice`."""
    return mp.sqrt(8 / mp.pi) * (1 + 3 * mp.mpf("0.044715") * x**2)


def elu(scale: float, alpha: float) -> tuple[Function, Function, Least, Least]:
    """The columns of scale times elu of alpha."""
    return (
        lambda x: mp.mpf(scale) * (x if x > 0 else mp.mpf(alpha) * mp.expm1(near(x))),
        lambda x: mp.mpf(scale) * (1 if x > 0 else mp.mpf(alpha) * exp(x)),
        lambda x, n: mp.mpf(0),
        lambda x, n: mp.mpf(scale * alpha) if x <= 0 else mp.mpf(0),
    )


ROWS = [
    Row("exp", vg.exp, exp, exp),
    Row("expm1", vg.expm1, lambda x: mp.expm1(near(x)), exp),
    Row("log", vg.log, mp.log, lambda x: 1 / x, positive=True),
    Row("sqrt", vg.sqrt, mp.sqrt, lambda x: 1 / (2 * mp.sqrt(x)), positive=True),
    Row("square", vg.square, lambda x: x * x, lambda x: 2 * x),
    Row("absolute", vg.absolute, abs, mp.sign),
    Row("negative", vg.negative, lambda x: -x, lambda x: mp.mpf(-1)),
    Row("sign", vg.sign, mp.sign, None),
    Row("floor", vg.floor, mp.floor, None),
    Row("stop_gradient", vg.stop_gradient, lambda x: x, None),
    Row("cos", vg.cos, mp.cos, lambda x: -mp.sin(x)),
    Row("sin", vg.sin, mp.sin, mp.cos),
    Row(
        "tanh",
        vg.tanh,
        lambda x: mp.tanh(near(x)),
        lambda x: 4 * sigmoid(2 * x) * sigmoid(-2 * x),
        slope_least=lambda x, n: mp.mpf(1),
    ),
    Row(
        "sigmoid",
        vg.sigmoid,
        sigmoid,
        lambda x: sigmoid(x) * sigmoid(-x),
        slope_least=lambda x, n: mp.mpf(x > 0),
    ),
    Row(
        "gaussian",
        vg.gaussian,
        lambda x: exp(-x * x),
        lambda x: -2 * x * exp(-x * x),
        slope_least=lambda x, n: 16 * abs(x) * n,
    ),
    Row("erf", vg.erf, lambda x: mp.erf(near(x)), lambda x: 2 / mp.sqrt(mp.pi) * exp(-x * x)),
    Row("relu", vg.relu, lambda x: max(x, 0), lambda x: mp.mpf(x > 0)),
    Row(
        "leaky_relu",
        vg.leaky_relu,
        lambda x: x if x > 0 else x * 0.01,
        lambda x: mp.mpf(1 if x > 0 else 0.01),
    ),
    Row("elu", vg.elu, *elu(1.0, 1.0)),
    Row("elu of 0.3", lambda x: vg.elu(x, alpha=0.3), *elu(1.0, 0.3)),
    Row("selu", vg.selu, *elu(SELU_SCALE, SELU_ALPHA)),
    Row("softplus", vg.softplus, softplus, sigmoid),
    Row(
        "silu",
        vg.silu,
        lambda x: x * sigmoid(x),
        lambda x: sigmoid(x) * (1 + x * sigmoid(-x)),
        lambda x, n: abs(x) * n,
        lambda x, n: sigmoid(x) * (1 + abs(x) * sigmoid(-x)) + abs(x) * n,
    ),
    Row(
        "gelu",
        vg.gelu,
        lambda x: x * below(x),
        lambda x: below(x) + x * density(x),
        lambda x, n: mp.mpf(0),
        lambda x, n: below(x) + abs(x) * (density(x) + n),
        units=6,
    ),
    Row(
        "gelu by tanh",
        lambda x: vg.gelu(x, form="tanh"),
        lambda x: x * sigmoid(twice(x)),
        lambda x: sigmoid(twice(x)) * (1 + x * rise(x) * sigmoid(-twice(x))),
        lambda x, n: abs(x) * (sigmoid(twice(x)) * (1 + abs(twice(x))) + n),
        lambda x, n: (
            sigmoid(twice(x)) * (1 + abs(x) * rise(x) * sigmoid(-twice(x))) * (1 + abs(twice(x)))
            + abs(x) * rise(x) * n
        ),
    ),
    Row(
        "binary cross-entropy",
        lambda x: 0.25 * vg.softplus(-x) + 0.75 * vg.softplus(x),
        lambda x: softplus(-x) / 4 + 3 * softplus(x) / 4,
        lambda x: sigmoid(x) - mp.mpf(0.25),
        slope_least=lambda x, n: mp.mpf(1),
    ),
]
