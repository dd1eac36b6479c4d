"""Sums, means and maxima over axes; gradients repeat what was reduced."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import ClassVar

import numpy as np

from ..graph import (
    Array,
    GraphError,
    IntShape,
    Node,
    Op,
    OverRows,
    Point,
    Product,
    Residues,
    RunError,
    Shape,
    TensorType,
    apply,
    constant,
    op,
)
from .axes import Axis, several
from .shaping import broadcast_to, cast, dim, reshape


class Reduction(Op):
    """One element from all those along `axes` (none: along all)."""

    joins: ClassVar[OverRows]
    """How the results for blocks of what is reduced are made one."""
    axes: tuple[int, ...] | None = None
    keepdims: bool = False

    def __post_init__(self) -> None:
        if self.axes is not None:
            self._set("axes", tuple(sorted(self.axes)))

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        (x,) = types
        if not x.is_float:
            raise GraphError(f"input is {x}, where floats are expected\nfix: vg.cast(x, 'f32')")
        axes = self.reduced(x)
        if any(not 0 <= a < x.rank for a in axes) or len(set(axes)) != len(axes):
            raise GraphError(f"axes {list(axes)} are not axes of {x}, counted from 0")
        return x.with_shape(self.kept(x) if self.keepdims else _without(x.shape, axes))

    def reduced(self, x: TensorType) -> tuple[int, ...]:
        """The axes that are reduced."""
        return tuple(range(x.rank)) if self.axes is None else self.axes

    def kept(self, x: TensorType) -> Shape:
        """The shape with each reduced axis kept, as 1."""
        axes = self.reduced(x)
        return tuple([1 if i in axes else d for i, d in enumerate(x.shape)])

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return self.joins if 0 in self.reduced(types[0]) else "each"

    def flops(self, result: IntShape, *inputs: IntShape) -> int:
        return prod(inputs[0])

    def repeat(self, node: Node, y: Node) -> Node:
        """A tensor of the result's type, repeated to the input's shape."""
        x = node.inputs[0].type
        leading = self.reduced(x) == tuple(range(len(self.reduced(x))))
        aligned = leading or y.type.shape == self.kept(x)
        return broadcast_to(y if aligned else reshape(y, self.kept(x)), x.shape)


@op
class Sum(Reduction):
    """y = the sum along the axes; that of nothing is 0."""

    name: ClassVar[str] = "sum"
    joins: ClassVar[OverRows] = "sum"
    traceable: ClassVar[bool] = True

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (self.repeat(node, dy),)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.sum(self.axes, self.keepdims)

    def run(self, x: Array, *, out: Array) -> None:
        np.add.reduce(x, axis=self.axes, out=out, keepdims=self.keepdims)


@op
class Mean(Reduction):
    """y = the mean along the axes; that of nothing is an error."""

    name: ClassVar[str] = "mean"
    joins: ClassVar[OverRows] = "mean"
    traceable: ClassVar[bool] = True

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x = node.inputs[0].type
        return (self.repeat(node, dy / count(x, self.reduced(x))),)

    def flops(self, result: IntShape, *inputs: IntShape) -> int:
        return prod(inputs[0]) + prod(result)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.mean(self.axes, self.keepdims)

    def run(self, x: Array, *, out: Array) -> None:
        if out.size == 0:
            return
        if x.size == 0:
            raise RunError("the mean of nothing is not defined; feed one row or more")
        np.add.reduce(x, axis=self.axes, out=out, keepdims=self.keepdims)
        np.divide(out, x.size // out.size, out=out)


@op
class Max(Reduction):
    """y = the maximum along the axes; of nothing, an error. The gradient goes to the first."""

    name: ClassVar[str] = "max"
    joins: ClassVar[OverRows] = "max"

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (self.repeat(node, dy) * apply(FirstMax(self.axes), node.inputs[0]),)

    def kinks(self, *arrays: Array) -> Array | None:
        (x,) = arrays
        axes = tuple(range(x.ndim)) if self.axes is None else self.axes
        if not axes or x.size == 0:
            return None
        first = _first_places(x, axes)
        return np.expand_dims(first, axes) if self.keepdims else first

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.max(self.axes, self.keepdims)

    def run(self, x: Array, *, out: Array) -> None:
        if x.size == 0 and out.size:
            raise RunError("the maximum of nothing is not defined; feed one row or more")
        np.maximum.reduce(x, axis=self.axes, out=out, keepdims=self.keepdims)


@op
class FirstMax(Op):
    """y = 1 at the first maximum along the axes (none: all), 0 elsewhere; no gradient passes."""

    name: ClassVar[str] = "first_max"
    axes: tuple[int, ...] | None = None

    def infer(self, *types: TensorType) -> TensorType:
        Max(self.axes).infer(*types)
        return types[0]

    def flops(self, result: IntShape, *inputs: IntShape) -> int:
        return prod(inputs[0])

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (None,)

    def kinks(self, *arrays: Array) -> Array | None:
        out = np.empty_like(arrays[0])
        self.run(arrays[0], out=out)
        return out

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each" if self.axes is not None and 0 not in self.axes else None

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.first_max(self.axes)

    def run(self, x: Array, *, out: Array) -> None:
        out.fill(0)
        if x.size == 0:
            return
        axes = tuple(range(x.ndim)) if self.axes is None else self.axes
        if not axes:
            out.fill(1)
            return
        places = _first_places(x, axes)
        where = np.unravel_index(places, [x.shape[a] for a in axes])
        last = tuple(range(x.ndim - len(axes), x.ndim))
        np.moveaxis(out, axes, last)[(*np.indices(places.shape, sparse=True), *where)] = 1


@op
class SquaredNorm(Op):
    """y = the sum of x x over all elements, as a scalar; that of nothing is 0."""

    name: ClassVar[str] = "squared_norm"
    traceable: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 0

    def infer(self, *types: TensorType) -> TensorType:
        return Sum().infer(*types)

    def product(self, result: IntShape, *inputs: IntShape) -> Product | None:
        return Product(1, prod(inputs[0]), 1)

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy * 2.0 * node.inputs[0],)

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "sum"

    def exact(self, at: Point, x: Residues) -> Residues:
        return (x * x).sum()

    def run(self, x: Array, *, out: Array) -> None:
        flat = x.reshape(-1)
        np.dot(flat, flat, out=out)


def sum(
    x: Node,
    axis: Axis | None = None,
    keepdims: bool = False,
    *,
    axes: Axis | None = None,
    name: str | None = None,
) -> Node:
    """The sum of x along an axis or several; along all, unless said.

    Axes are counted from 0, or from the end where negative; `axes` is another word for `axis`.
    """
    return apply(Sum(several("sum", x, axis, axes), keepdims), x, name=name)


def mean(
    x: Node,
    axis: Axis | None = None,
    keepdims: bool = False,
    *,
    axes: Axis | None = None,
    name: str | None = None,
) -> Node:
    """The mean of x along an axis or several; along all, unless said.

    Axes are counted from 0, or from the end where negative; `axes` is another word for `axis`.
    """
    return apply(Mean(several("mean", x, axis, axes), keepdims), x, name=name)


def max(
    x: Node,
    axis: Axis | None = None,
    keepdims: bool = False,
    *,
    axes: Axis | None = None,
    name: str | None = None,
) -> Node:
    """The maximum of x along an axis or several; along all, unless said.

    Axes are counted from 0, or from the end where negative; `axes` is another word for `axis`.
    """
    return apply(Max(several("max", x, axis, axes), keepdims), x, name=name)


def squared_norm(x: Node, *, name: str | None = None) -> Node:
    """The sum of the squares of all elements of x."""
    return apply(SquaredNorm(), x, name=name)


def count(x: TensorType, axes: Iterable[int]) -> Node:
    """How many elements a reduction of x along the axes joins, in x's dtype."""
    number, total = 1, None
    for d in (x.shape[a] for a in axes):
        if isinstance(d, int):
            number *= d
        else:
            total = dim(d) if total is None else total * dim(d)
    if total is None:
        return constant(float(number), x.dtype)
    exact = total if number == 1 else total * float(number)
    return exact if x.dtype == "f64" else cast(exact, x.dtype)


def _first_places(x: Array, axes: tuple[int, ...]) -> Array:
    """Where the first maximum along the axes is, counted along them all, for what remains."""
    rows = np.moveaxis(x, axes, tuple(range(x.ndim - len(axes), x.ndim)))
    places: Array = rows.reshape(*rows.shape[: x.ndim - len(axes)], -1).argmax(axis=-1)
    return places


def _without(shape: Shape, axes: tuple[int, ...]) -> Shape:
    return tuple([d for i, d in enumerate(shape) if i not in axes])
