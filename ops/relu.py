"""The rectified linear unit and its gradient, which reads the result."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..graph import Array, Node, Point, Residues, TensorType, apply, op
from .elementwise import Slope, Unary, unary


@op
class Relu(Unary):
    """y = max(x, 0); the derivative at 0 is 0."""

    name: ClassVar[str] = "relu"
    activation: ClassVar[bool] = True

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (apply(ReluGrad(), node, dy),)

    def kinks(self, *arrays: Array) -> Array | None:
        (x,) = arrays
        return np.greater(x, 0.0)

    def exact(self, at: Point, x: Residues) -> Residues:
        return (x > 0).choose(x, 0)

    def run(self, x: Array, *, out: Array) -> None:
        np.maximum(x, 0.0, out=out)


@op
class ReluGrad(Slope):
    """dx = dy where y > 0, else 0; y is relu's result, so that its input need not be kept."""

    name: ClassVar[str] = "relu_grad"
    flops_per_element: ClassVar[int] = 2
    inplace: ClassVar[tuple[int, ...]] = (1,)
    reads: ClassVar[str] = "y"

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return None, apply(ReluGrad(), node.inputs[0], dy)

    def kinks(self, *arrays: Array) -> Array | None:
        y, _ = arrays
        return np.greater(y, 0.0)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[0].with_dtype("bool"),)

    def exact(self, at: Point, y: Residues, dy: Residues) -> Residues:
        return (y > 0).choose(dy, 0)

    def run(self, y: Array, dy: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        (alive,) = scratch
        np.less_equal(y, 0.0, out=alive)
        np.logical_not(alive, out=alive)
        # As whole numbers, so that 0 times infinity or NaN is 0; a copy `where` takes 16 times
        # as long.
        bits = np.dtype(f"i{dy.itemsize}")
        np.multiply(dy.view(bits), alive, out=out.view(bits))


relu = unary(Relu)
