"""Functions of one tensor, element by element; gradients read the result where they can.

Results and slopes are exact to 4 units in the last place, unless the docstring says otherwise.
"""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from ..graph import TRANSCENDENTAL, Array, Node, Point, Residues, TensorType, op
from .elementwise import Unary, unary

SURE: Final = 50.0
"""From here on, a sigmoid is 1; and x (1 - sigmoid(x)), which falls, is below its rounding."""


@op
class Exp(Unary):
    """y = exp(x)."""

    name: ClassVar[str] = "exp"
    flops_per_element: ClassVar[int] = TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy * node,)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.function("exp", slope=lambda y: y)

    def run(self, x: Array, *, out: Array) -> None:
        np.exp(x, out=out)


@op
class Expm1(Unary):
    """y = exp(x) - 1, accurate near 0 too."""

    name: ClassVar[str] = "expm1"
    flops_per_element: ClassVar[int] = TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy * exp(node.inputs[0]),)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.function("exp", slope=lambda y: y) - 1

    def run(self, x: Array, *, out: Array) -> None:
        np.expm1(x, out=out)


@op
class Log(Unary):
    """y = ln(x); -inf at 0, NaN below."""

    name: ClassVar[str] = "log"
    flops_per_element: ClassVar[int] = TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy / node.inputs[0],)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.function("log", slope=lambda _: 1 / x.fixed)

    def run(self, x: Array, *, out: Array) -> None:
        np.log(x, out=out)


@op
class Sqrt(Unary):
    """y = the square root of x; NaN below 0."""

    name: ClassVar[str] = "sqrt"

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy * 0.5 / node,)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.function("sqrt", slope=lambda y: 0.5 / y)

    def run(self, x: Array, *, out: Array) -> None:
        np.sqrt(x, out=out)


@op
class Square(Unary):
    """y = x x."""

    name: ClassVar[str] = "square"

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy * 2.0 * node.inputs[0],)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x * x

    def run(self, x: Array, *, out: Array) -> None:
        np.multiply(x, x, out=out)


@op
class Absolute(Unary):
    """y = |x|; the subgradient at 0 is 0."""

    name: ClassVar[str] = "absolute"

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy * sign(node.inputs[0]),)

    def kinks(self, *arrays: Array) -> Array | None:
        (x,) = arrays
        return np.sign(x)

    def exact(self, at: Point, x: Residues) -> Residues:
        return (x > 0).choose(x, -x)

    def run(self, x: Array, *, out: Array) -> None:
        np.absolute(x, out=out)


@op
class Sign(Unary):
    """y = -1, 0 or 1 by the sign of x; no gradient passes."""

    name: ClassVar[str] = "sign"

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (None,)

    def kinks(self, *arrays: Array) -> Array | None:
        (x,) = arrays
        return np.sign(x)

    def exact(self, at: Point, x: Residues) -> Residues:
        return (x > 0).cast(x.dtype) - (x < 0).cast(x.dtype)

    def run(self, x: Array, *, out: Array) -> None:
        np.sign(x, out=out)


@op
class Cos(Unary):
    """y = cos(x), x in radians."""

    name: ClassVar[str] = "cos"
    flops_per_element: ClassVar[int] = TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (-(dy * sin(node.inputs[0])),)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.function("cos", slope=lambda _: -x.fixed.function("sin"))

    def run(self, x: Array, *, out: Array) -> None:
        np.cos(x, out=out)


@op
class Sin(Unary):
    """y = sin(x), x in radians."""

    name: ClassVar[str] = "sin"
    flops_per_element: ClassVar[int] = TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy * cos(node.inputs[0]),)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.function("sin", slope=lambda _: x.fixed.function("cos"))

    def run(self, x: Array, *, out: Array) -> None:
        np.sin(x, out=out)


@op
class Floor(Unary):
    """y = the largest whole number that is not above x; no gradient passes."""

    name: ClassVar[str] = "floor"

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (None,)

    def kinks(self, *arrays: Array) -> Array | None:
        (x,) = arrays
        return np.floor(x)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.function("floor", slope=0)

    def run(self, x: Array, *, out: Array) -> None:
        np.floor(x, out=out)


@op
class Tanh(Unary):
    """y = tanh(x).

    The slope, 1 - y y, reads the result, so that x need not be kept, and is exact to 4 units in
    the last place of 1.
    """

    name: ClassVar[str] = "tanh"
    flops_per_element: ClassVar[int] = TRANSCENDENTAL
    activation: ClassVar[bool] = True

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy - dy * node * node,)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.function("tanh", slope=lambda y: 1 - y * y)

    def run(self, x: Array, *, out: Array) -> None:
        np.tanh(x, out=out)


@op
class Sigmoid(Unary):
    """y = 1 / (1 + exp(-x)), computed as e / (1 + e) for e = exp(x).

    The slope, y (1 - y), reads the result, so that x need not be kept: for x > 0 it is exact to
    4 units in the last place of 1, for that is what 1 - y has lost.
    """

    name: ClassVar[str] = "sigmoid"
    flops_per_element: ClassVar[int] = 3 + TRANSCENDENTAL
    activation: ClassVar[bool] = True

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy * node * (1.0 - node),)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[0],)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.sigmoid()

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        (e,) = scratch
        np.minimum(x, SURE, out=e)
        np.exp(e, out=e)
        np.add(e, 1.0, out=out)
        np.divide(e, out, out=out)


@op
class StopGradient(Unary):
    """y = x, through which no gradient passes."""

    name: ClassVar[str] = "stop_gradient"
    moves: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 0

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (None,)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.fixed

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x)


exp = unary(Exp)
expm1 = unary(Expm1)
log = unary(Log)
sqrt = unary(Sqrt)
square = unary(Square)
absolute = unary(Absolute)
sign = unary(Sign)
cos = unary(Cos)
sin = unary(Sin)
floor = unary(Floor)
tanh = unary(Tanh)
sigmoid = unary(Sigmoid)
stop_gradient = unary(StopGradient)
