"""Circular and hyperbolic functions, and their inverses, of the ops that there are.

Where a side is chosen, what is not chosen is finite, so that the slope is, and that at 0 is right.
"""

from __future__ import annotations

import math
from typing import Final

from .....graph import Node
from .....ops import cos, exp, expm1, greater, less, log, sin, sqrt, square, where
from ..call import Rules
from .elementwise import of_one
from .parts import number


def _sinh(x: Node) -> Node:
    return (expm1(x) - expm1(-x)) * 0.5


def _cosh(x: Node) -> Node:
    return (exp(x) + exp(-x)) * 0.5


def _asinh(x: Node) -> Node:
    """ln(x + sqrt(x x + 1)) of the distance to 0, and odd; the slope at 0 is 1."""
    below = less(x, 0.0)
    distance = where(below, -x, x)
    y = log(distance + sqrt(square(x) + 1.0))
    return where(below, -y, y)


def _acosh(x: Node) -> Node:
    return log(x + sqrt(x + 1.0) * sqrt(x - 1.0))


def _atanh(x: Node) -> Node:
    return 0.5 * log((1.0 + x) / (1.0 - x))


def _atan(x: Node) -> Node:
    """The angle whose tangent is x: halved three times, by its series, exact to the last places.

    Beyond 1 it is a right angle without that of 1 / x; tan(a / 2) = t / (1 + sqrt(1 + t t)) for
    t = tan(a). Below tan(pi / 32) eight terms of t - t^3 / 3 + t^5 / 5 ... are enough for f64.
    """
    far = greater(square(x), 1.0)
    t = where(far, 1.0 / where(far, x, 1.0), x)
    for _ in range(3):
        t = t / (sqrt(square(t) + 1.0) + 1.0)
    squares = square(t)
    series = number(-1 / 15, x)
    for k in range(13, 0, -2):
        series = series * squares + (1 / k if k % 4 == 1 else -1 / k)
    y = series * t * 8.0
    right = where(greater(x, 0.0), number(math.pi / 2, x), -math.pi / 2)
    return where(far, right - y, y)


def _asin(x: Node) -> Node:
    return _atan(x / (sqrt(1.0 - square(x)) + 1.0)) * 2.0


def _acos(x: Node) -> Node:
    return _atan(sqrt((1.0 - x) / (1.0 + x))) * 2.0


def _tan(x: Node) -> Node:
    return sin(x) / cos(x)


RULES: Final[Rules] = {
    "Acos": of_one(_acos),
    "Acosh": of_one(_acosh),
    "Asin": of_one(_asin),
    "Asinh": of_one(_asinh),
    "Atan": of_one(_atan),
    "Atanh": of_one(_atanh),
    "Cosh": of_one(_cosh),
    "Sinh": of_one(_sinh),
    "Tan": of_one(_tan),
}
