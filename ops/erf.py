"""The error function, which NumPy does not have."""

from __future__ import annotations

import math
from typing import ClassVar, Final

import numpy as np

from ..graph import TRANSCENDENTAL, Array, Node, TensorType, op
from .elementwise import Unary, unary
from .pointwise import exp, square

# W. J. Cody, "Rational Chebyshev approximation for the error function", Mathematics of
# Computation 23 (1969): numerator and denominator, the highest power first.
_SMALL: Final = 0.46875
_NEAR: Final = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3),
    (3.20937758913846947e3, 2.84423683343917062e3),
)
_MIDDLE: Final = (
    (
        2.15311535474403846e-8,
        5.64188496988670089e-1,
        8.88314979438837594,
        6.61191906371416295e1,
        2.98635138197400131e2,
        8.81952221241769090e2,
        1.71204761263407058e3,
        2.05107837782607147e3,
    ),
    (
        1.0,
        1.57449261107098347e1,
        1.17693950891312499e2,
        5.37181101862009858e2,
        1.62138957456669019e3,
        3.29079923573345963e3,
        4.36261909014324716e3,
        3.43936767414372164e3,
    ),
    (1.23033935479799725e3, 1.23033935480374942e3),
)
_LARGEST: Final = 6.0


@op
class Erf(Unary):
    """y = erf(x) = 2 / sqrt(pi) times the integral of exp(-t t) from 0 to x; to a few ulp.

    By Cody's rational approximations: of erf to |x| = 0.46875, of erfc above. The second is his
    for |x| <= 4, and is used to 6, where erf(x) is 1 to 2e-17: what it lacks in relative
    accuracy there is below an ulp of 1.
    """

    name: ClassVar[str] = "erf"
    flops_per_element: ClassVar[int] = 61 + TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy * (2.0 / math.sqrt(math.pi)) * exp(-square(node.inputs[0])),)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return erf_scratch(types[0])

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        erf_into(x, out, scratch)


def erf_scratch(x: TensorType) -> tuple[TensorType, ...]:
    """The temporaries of `erf_into`."""
    return x, x, x, x, x.with_dtype("bool")


def erf_into(x: Array, out: Array, scratch: tuple[Array, ...]) -> None:
    """out = erf(x)."""
    a, up, down, t, small = scratch
    np.absolute(x, out=a)
    np.less_equal(a, _SMALL, out=small)
    # Above: 1 - exp(-a a) p(a) / q(a), with the sign of x.
    np.minimum(a, _LARGEST, out=a)
    _rational(a, _MIDDLE, up, down)
    np.multiply(a, a, out=t)
    np.negative(t, out=t)
    np.exp(t, out=t)
    np.multiply(up, t, out=up)
    np.subtract(1.0, up, out=up)
    np.copysign(up, x, out=up)
    # Near 0: x p(x x) / q(x x); the squares of others are kept from overflow.
    np.minimum(a, _SMALL, out=a)
    np.multiply(a, a, out=a)
    _rational(a, _NEAR, t, down)
    np.multiply(t, x, out=t)
    np.copyto(up, t, where=small)
    np.copyto(out, up)


def _rational(
    x: Array, coefficients: tuple[tuple[float, ...], ...], up: Array, down: Array
) -> None:
    """up = p(x) / q(x) by Horner's rule; the last pair holds the constant terms."""
    above, below, last = coefficients
    for terms, constant, total in ((above, last[0], up), (below, last[1], down)):
        np.multiply(x, terms[0], out=total)
        for term in terms[1:]:
            np.add(total, term, out=total)
            np.multiply(total, x, out=total)
        np.add(total, constant, out=total)
    np.divide(up, down, out=up)


erf = unary(Erf)
