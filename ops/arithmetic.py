"""Arithmetic of two tensors, elementwise and broadcast."""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from ..graph import TRANSCENDENTAL, Array, Constant, Node, Point, Residues, op
from .comparison import equal, greater_equal, where
from .elementwise import Binary, Unary, binary, unary
from .pointwise import log

_WHOLE: Final = 8
"""Exponents up to here are exact."""


@op
class Add(Binary):
    """y = a + b, of one dtype, broadcast."""

    name: ClassVar[str] = "add"
    floats_only: ClassVar[bool] = False

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return dy, dy

    def exact(self, at: Point, a: Residues, b: Residues) -> Residues:
        return a + b

    def run(self, a: Array, b: Array, *, out: Array) -> None:
        np.add(a, b, out=out)


@op
class Subtract(Binary):
    """y = a - b, of one dtype, broadcast."""

    name: ClassVar[str] = "subtract"
    floats_only: ClassVar[bool] = False

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return dy, negative(dy)

    def exact(self, at: Point, a: Residues, b: Residues) -> Residues:
        return a - b

    def run(self, a: Array, b: Array, *, out: Array) -> None:
        np.subtract(a, b, out=out)


@op
class Multiply(Binary):
    """y = a b, of one dtype, broadcast."""

    name: ClassVar[str] = "multiply"
    floats_only: ClassVar[bool] = False

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        a, b = node.inputs
        return dy * b, dy * a

    def exact(self, at: Point, a: Residues, b: Residues) -> Residues:
        return a * b

    def run(self, a: Array, b: Array, *, out: Array) -> None:
        np.multiply(a, b, out=out)


@op
class Divide(Binary):
    """y = a / b, floats of one dtype, broadcast."""

    name: ClassVar[str] = "divide"

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        b = node.inputs[1]
        return dy / b, negative(dy * node / b)

    def exact(self, at: Point, a: Residues, b: Residues) -> Residues:
        return a / b

    def run(self, a: Array, b: Array, *, out: Array) -> None:
        np.divide(a, b, out=out)


@op
class Power(Binary):
    """y = a ** b, floats of one dtype, broadcast; the gradient of b wants a > 0, that of a is 0
    where b is 0."""

    name: ClassVar[str] = "power"
    flops_per_element: ClassVar[int] = 2 * TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        a, b = node.inputs
        da = dy * b * power(a, b - 1.0)
        if not (isinstance(b.op, Constant) and b.op.value.array.all()):
            da = where(equal(b, 0.0), 0.0, da)  # at a = 0 it would be 0 times infinity
        return da, dy * node * log(a)

    def exact(self, at: Point, a: Residues, b: Residues) -> Residues:
        y = _power(a.fixed, b.fixed)
        by_a = b.fixed * _power(a.fixed, b.fixed - 1)
        return y.chain((a, by_a), (b, y * a.fixed.function("log")))

    def run(self, a: Array, b: Array, *, out: Array) -> None:
        np.power(a, b, out=out)


@op
class Maximum(Binary):
    """y = max(a, b), broadcast; NaN where either is. At a tie the gradient goes to a."""

    name: ClassVar[str] = "maximum"
    floats_only: ClassVar[bool] = False

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        first = greater_equal(*node.inputs)
        return where(first, dy, 0.0), where(first, 0.0, dy)

    def kinks(self, *arrays: Array) -> Array | None:
        a, b = arrays
        return np.greater_equal(a, b)

    def exact(self, at: Point, a: Residues, b: Residues) -> Residues:
        return (a >= b).choose(a, b)

    def run(self, a: Array, b: Array, *, out: Array) -> None:
        np.maximum(a, b, out=out)


@op
class Minimum(Binary):
    """y = min(a, b), broadcast; NaN where either is. At a tie the gradient goes to a."""

    name: ClassVar[str] = "minimum"
    floats_only: ClassVar[bool] = False

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        a, b = node.inputs
        first = greater_equal(b, a)
        return where(first, dy, 0.0), where(first, 0.0, dy)

    def kinks(self, *arrays: Array) -> Array | None:
        a, b = arrays
        return np.greater_equal(b, a)

    def exact(self, at: Point, a: Residues, b: Residues) -> Residues:
        return (b >= a).choose(a, b)

    def run(self, a: Array, b: Array, *, out: Array) -> None:
        np.minimum(a, b, out=out)


@op
class Negative(Unary):
    """y = -x."""

    name: ClassVar[str] = "negative"
    floats_only: ClassVar[bool] = False

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (negative(dy),)

    def exact(self, at: Point, x: Residues) -> Residues:
        return -x

    def run(self, x: Array, *, out: Array) -> None:
        np.negative(x, out=out)


def _power(a: Residues, b: Residues) -> Residues:
    """a ** b: products where b is one small whole number, else a random function of both."""
    exponent = float(b.value.flat[0]) if b.value.size else 0.0
    if exponent not in range(_WHOLE + 1) or (b.value != exponent).any():
        return a.function("power", b)
    return (a ** int(exponent)).broadcast_to(np.broadcast_shapes(a.shape, b.shape))


add = binary(Add)
subtract = binary(Subtract)
multiply = binary(Multiply)
divide = binary(Divide)
power = binary(Power)
maximum = binary(Maximum)
minimum = binary(Minimum)
negative = unary(Negative)
