"""The sigmoid linear unit and its gradient, which reads the input."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..graph import TRANSCENDENTAL, Array, Node, Point, Residues, TensorType, apply, op
from .activations import Activation
from .elementwise import Slope, unary
from .pointwise import SURE, sigmoid


@op
class Silu(Activation):
    """y = x sigmoid(x), also known as swish; NaN at -infinity. The gradient reads x.

    Exact to 4 units in the last place, or |x| times the last of the smallest normal number: below
    that, exp(x) loses bits before it is multiplied. Source: Elfwing, Uchibe and Doya 2018.
    """

    name: ClassVar[str] = "silu"
    flops_per_element: ClassVar[int] = 4 + TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (apply(SiluGrad(), node.inputs[0], dy),)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return types[0], types[0]

    def exact(self, at: Point, x: Residues) -> Residues:
        return x * x.sigmoid()

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        e, t = scratch
        np.minimum(x, SURE, out=e)
        np.exp(e, out=e)
        np.add(e, 1.0, out=t)
        np.divide(e, t, out=e)
        np.multiply(x, e, out=out)


@op
class SiluGrad(Slope):
    """dx = dy s (1 + x (1 - s)) for s = sigmoid(x).

    As exact as silu, beside the sum of what is added: at x = -1.28 the two cancel.
    """

    name: ClassVar[str] = "silu_grad"
    flops_per_element: ClassVar[int] = 8 + TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x, cotangent = node.inputs
        s, r = sigmoid(x), sigmoid(-x)
        return dy * cotangent * (s * r * (2.0 + x * (r - s))), apply(SiluGrad(), x, dy)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[0],) * 3

    def exact(self, at: Point, x: Residues, dy: Residues) -> Residues:
        s = x.sigmoid()
        return dy * s * (1 + x * (1 - s))

    def run(self, x: Array, dy: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        near, e, t = scratch
        np.minimum(x, SURE, out=near)
        np.exp(near, out=e)
        np.add(e, 1.0, out=t)
        np.divide(near, t, out=near)  # by 1 / t twice, its rounding would count twice
        np.add(near, 1.0, out=near)
        np.multiply(e, near, out=e)
        np.divide(e, t, out=e)
        np.multiply(e, dy, out=out)


silu = unary(Silu)
