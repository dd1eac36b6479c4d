"""The error function in f64, of which onnxruntime has no kernel, as its kernel here computes it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ....ops.erf import LARGEST, NEAR, SMALL, TAILS
from .builder import Builder, Value


def erf_in_f64(at: Builder, x: Value) -> Value:
    """x p(x x) / q(x x) near 0, and 1 - erfc(|x|) with the sign of x above."""
    size = at.op("Abs", x)
    a = at.op("Min", size, LARGEST)
    tail = _tail(a * math.sqrt(2)) * 2.0 * at.op("Exp", -(a * a))
    far = at.op("Sign", x) * (1.0 - tail)
    s = at.op("Min", size, SMALL)
    above, below = NEAR
    near = x * _polynomial(s * s, above) / _polynomial(s * s, below)
    return at.where(size <= SMALL, near, far)


def _tail(a: Value) -> Value:
    """P(Z > a) exp(a a / 2) for a standard normal Z, from 0 on."""
    tail = TAILS[8]
    return _polynomial((tail.k - a) / (a + tail.k), tail.p) / (a + 1.0)


def _polynomial(x: Value, coefficients: Sequence[float]) -> Value:
    """The sum of coefficients times powers of x, the highest first."""
    first, second, *others = coefficients
    y = x + second if first == 1.0 else x * first + second
    for c in others:
        y = y * x + c
    return y
