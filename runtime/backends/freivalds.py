"""Whether a product of matrices is right, in less time than to make it again: Freivalds' test.

For out = a b and a vector r of random signs, out r and a (b r) are the same vector, which takes
three products of a matrix by a vector; a wrong element of out is missed where the faults of its row
cancel, for one element never. What rounding leaves between the two is bounded row by row: an
element of a product of inner size K is off by some sqrt(K) units of |a_i| |b_j|, the norms of its
row and its column, and the sums over its row add the sqrt(N) of N columns. It is allowed _UNITS
times as much; a fault that is smaller changes no more than rounding does.

Source: Freivalds, "Probabilistic machines can use less running time", 1977.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, Final, NamedTuple

import numpy as np

from ...graph import Array, RunError
from ...ops.linear import Gemm, turned
from .tracing import Call

_UNITS: Final = 32
_SMALLEST: Final = 1e-150
_SAFE: Final = 1e-20
_SEED: Final = 1977


class Multiplication(NamedTuple):
    """out = a b, or out = beta before + alpha a b, for matrices and scalar arrays."""

    a: Array
    b: Array
    out: Array
    before: Array | None = None
    alpha: Array | None = None
    beta: Array | None = None


def multiplication(call: Call) -> Multiplication | None:
    """The product of two matrices of floats that a call makes; None for another call."""
    op, out = getattr(call.function, "__self__", None), call.keywords.get("out")
    if isinstance(op, Gemm):
        c, a, b, alpha, beta = call.arguments
        left, right = turned(op, a, b)
        return Multiplication(left, right, call.keywords["out"], c, alpha, beta)
    if call.function not in (np.dot, np.matmul) or out is None:
        return None
    a, b = call.arguments
    if out.dtype.kind != "f" or any(x.ndim != 2 for x in (a, b, out)):
        return None
    return Multiplication(a, b, out)


class Freivalds:
    """The test of one product of a step, each time that the step makes it."""

    def __init__(self, p: Multiplication) -> None:
        rows, columns = p.out.shape
        self._label = f"[{rows},{columns}] = [{rows},{p.a.shape[1]}] x [{p.a.shape[1]},{columns}]"
        signs = np.random.default_rng([_SEED, *p.out.shape]).choice([-1.0, 1.0], columns)
        self._signs = signs.astype(p.out.dtype)
        info = np.finfo(p.out.dtype)
        self._unit, self._least, self._most = float(info.eps), float(info.tiny), float(info.max)
        self._units = _UNITS * sqrt(p.a.shape[1] + columns)
        self._added: Array | None = None
        self._size: Any = 0.0

    def begin(self, before: Array, beta: Array) -> None:
        """Notes what a product is added to, before it is."""
        self._added = (before @ self._signs) * beta
        self._size = np.abs(beta) * _norms(before)

    def check(self, a: Array, b: Array, out: Array, alpha: Array | float = 1.0) -> None:
        """Raises RunError where the product that has just been made is wrong."""
        expected = (a @ (b @ self._signs)) * alpha
        size = np.abs(alpha) * _norms(a) * np.sqrt(np.square(_norms(b)).sum())
        if self._added is not None:
            expected += self._added
            size = size + self._size
        off = np.abs(out @ self._signs - expected)
        allowed = self._units * (self._unit * size + self._least)
        # Where the sizes overflow, so may the product, and nothing can be said.
        wrong = ~(off <= allowed) & (size * self._units < self._most)
        if wrong.any():
            self._fail(int(np.flatnonzero(wrong)[0]), off, allowed)

    def _fail(self, row: int, off: Array, allowed: Array) -> None:
        raise RunError(
            f"a product {self._label} is wrong: the sum of row {row}, with random signs, is off by "
            f"{float(off[row]):.3g}, where rounding allows {float(allowed[row]):.3g}\n"
            "  fix: the BLAS, the memory or the processor of this machine is at fault; try one "
            "thread, another build of NumPy or another machine (verigrad info names the BLAS)"
        )


def _norms(a: Array) -> Array:
    """The norm of each row, in f64 where squares of its dtype would overflow or vanish; at least
    what the squares of f64 can tell."""
    squares = np.einsum("ij,ij->i", a, a)
    if a.dtype != np.float64 and not ((squares > _SAFE) & (squares < 1 / _SAFE)).all():
        squares = np.einsum("ij,ij->i", a, a, dtype=np.float64)
    norms: Array = np.maximum(np.sqrt(squares, dtype=np.float64), _SMALLEST)
    return norms
