"""The error function and its slope, which NumPy does not have, and tails of the normal."""

from __future__ import annotations

import math
from typing import ClassVar, Final, NamedTuple

import numpy as np

from ..graph import TRANSCENDENTAL, Array, Node, Point, Residues, TensorType, op
from .elementwise import Unary, unary


class Tail(NamedTuple):
    """P(Z > a) exp(a a / 2) for a standard normal Z and a from 0 to `end`: p(t) / (1 + a).

    t is (k - a) / (k + a), and p a polynomial, the highest power first, that interpolates at the
    zeros of a Chebyshev polynomial. It is 0.5 at a = 0, where its slope is small, and 0.4 at the
    end: the rounding of t hardly shows.
    """

    end: float
    k: float
    p: tuple[float, ...]


# Off by 2e-9 and 6e-18, relative.
TAILS: Final = {
    4: Tail(
        14.5,
        4.0,
        (
            -7.393246335296527e-05,
            6.572075471926494e-05,
            0.000691233524107501,
            0.000300497001199923,
            -0.005002521082107255,
            -0.01793954810746936,
            -0.032197728089079024,
            -0.02860002752194975,
            0.013999630414195018,
            0.09670346790909558,
            0.47205320646663723,
        ),
    ),
    8: Tail(
        39.0,
        6.0,
        (
            1.565901307919276e-09,
            -2.9330992736293062e-09,
            -1.563563975580134e-08,
            1.9999357197391986e-08,
            1.3237526176866645e-07,
            4.649629632929167e-10,
            -9.99608288663403e-07,
            -1.78383623414682e-06,
            4.412420988465129e-06,
            2.6353403713200724e-05,
            3.7794893704466745e-05,
            -0.0001194896582852616,
            -0.0008689946633225784,
            -0.002935655517518445,
            -0.007059819421462764,
            -0.013246864154047862,
            -0.019766479219931785,
            -0.022592467062781275,
            -0.01614151733219927,
            0.004373386779593186,
            0.03981142456242986,
            0.08502536230577072,
            0.45345520027112796,
        ),
    ),
}
"""By the bytes of a number."""
_CUT: Final = 256.0
"""Numbers to 16, in f32, cut to whole parts of this have squares that f32 holds."""

# W. J. Cody, "Rational Chebyshev approximation for the error function", Mathematics of
# Computation 23 (1969): numerator and denominator, the highest power first.
SMALL: Final = 0.46875
NEAR: Final = (
    (
        1.85777706184603153e-1,
        3.16112374387056560,
        1.13864154151050156e2,
        3.77485237685302021e2,
        3.20937758913846947e3,
    ),
    (
        1.0,
        2.36012909523441209e1,
        2.44024637934444173e2,
        1.28261652607737228e3,
        2.84423683343917062e3,
    ),
)
LARGEST: Final = 6.0
"""Beyond, erf is 1 to 2e-17."""


@op
class Erf(Unary):
    """y = erf(x) = 2 / sqrt(pi) times the integral of exp(-t t) from 0 to x.

    By Cody's rational approximation to |x| = 0.46875, by 1 - erfc(|x|) above.
    """

    name: ClassVar[str] = "erf"
    flops_per_element: ClassVar[int] = 57 + TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy * (gaussian(node.inputs[0]) * (2.0 / math.sqrt(math.pi))),)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        (x,) = types
        return x, x, x, x, x.with_dtype("bool")

    def exact(self, at: Point, x: Residues) -> Residues:
        rate = 2.0 / math.sqrt(math.pi)
        return x.function("erf", slope=lambda _: x.fixed.function("gaussian") * rate)

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        a, up, s, t, small = scratch
        np.absolute(x, out=a)
        np.less_equal(a, SMALL, out=small)
        # Above: 1 - erfc(a), with the sign of x; erfc(a) = 2 P(Z > a sqrt 2).
        np.minimum(a, LARGEST, out=a)
        np.multiply(a, a, out=s)
        np.negative(s, out=s)
        np.exp(s, out=s)
        np.multiply(s, 2.0, out=s)
        np.multiply(a, math.sqrt(2), out=t)
        normal_tail(t, up, a)
        np.multiply(up, s, out=up)
        np.subtract(1.0, up, out=up)
        np.copysign(up, x, out=up)
        # Near 0: x p(x x) / q(x x); the squares of others are kept from overflow.
        np.absolute(x, out=a)
        np.minimum(a, SMALL, out=a)
        np.multiply(a, a, out=a)
        above, below = NEAR
        _polynomial(a, above, t)
        _polynomial(a, below, s)
        np.divide(t, s, out=t)
        np.multiply(t, x, out=t)
        np.copyto(up, t, where=small)
        np.copyto(out, up)


@op
class Gaussian(Unary):
    """y = exp(-x x), also where the rounding of x x would show.

    The slope is within 4 units, or 16 |x| times the last of the smallest normal number: of a
    result below that, bits are lost before it is multiplied.
    """

    name: ClassVar[str] = "gaussian"
    flops_per_element: ClassVar[int] = 14 + 2 * TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy * (node * node.inputs[0] * -2.0),)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[0],) * 3

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.function("gaussian", slope=lambda y: y * x.fixed * -2)

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        a, high, low = scratch
        np.absolute(x, out=a)
        np.minimum(a, tail_end(x), out=a)
        out.fill(1.0)
        times_gaussian(out, a, 1.0, high, low)


def normal_tail(a: Array, out: Array, t: Array) -> None:
    """out = P(Z > a) exp(a a / 2), for a from 0 to `tail_end`; t is overwritten."""
    tail = TAILS[a.itemsize]
    np.subtract(tail.k, a, out=t)
    np.add(a, tail.k, out=out)
    np.divide(t, out, out=t)
    _polynomial(t, tail.p, out)
    np.add(a, 1.0, out=t)
    np.divide(out, t, out=out)


def tail_end(x: Array) -> float:
    """Where, and beyond which, exp(-a a / 2) is 0 in numbers of x's width."""
    return TAILS[x.itemsize].end


def times_gaussian(y: Array, a: Array, scale: float, high: Array, low: Array) -> None:
    """y = y exp(-scale a a), for a from 0 to 40 (f32: 16) and a scale of 1 or 1/2.

    a is cut to h, whose square is exact, and the rest is (a - h) (a + h): the rounding of a a
    alone would put a large result off by hundreds of units. a is overwritten.
    """
    np.multiply(a, _CUT, out=high)
    np.floor(high, out=high)
    np.multiply(high, 1 / _CUT, out=high)
    np.subtract(a, high, out=low)
    np.add(a, high, out=a)
    np.multiply(low, a, out=low)
    np.multiply(low, -scale, out=low)
    np.expm1(low, out=low)
    np.multiply(low, y, out=low)
    np.add(y, low, out=y)
    np.multiply(high, high, out=high)
    np.multiply(high, -scale, out=high)
    np.exp(high, out=high)
    np.multiply(y, high, out=y)


def _polynomial(x: Array, coefficients: tuple[float, ...], out: Array) -> None:
    """out = the sum of coefficients times powers of x, the highest first, by Horner's rule."""
    first, *others = coefficients
    np.multiply(x, first, out=out)
    for c in others[:-1]:
        np.add(out, c, out=out)
        np.multiply(out, x, out=out)
    np.add(out, others[-1], out=out)


erf = unary(Erf)
gaussian = unary(Gaussian)
