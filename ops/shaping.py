"""Ops that move elements or rename their places: casts, shapes, slices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import numpy as np

from ..graph import (
    Array,
    Dim,
    GraphError,
    Node,
    Op,
    OverRows,
    Point,
    Residues,
    RunError,
    Shape,
    TensorType,
    apply,
    broadcast,
    check_node,
    check_shape,
    dtype_name,
    op,
    size_of,
)
from .axes import Axis, several


@op
class Copy(Op):
    """y = x, in a buffer of its own."""

    name: ClassVar[str] = "copy"
    moves: ClassVar[bool] = True
    traceable: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 0

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        return types[0]

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy,)

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each"

    def exact(self, at: Point, x: Residues) -> Residues:
        return x

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x)


@op
class Cast(Op):
    """y = x in another dtype; floats lose digits, and bool becomes 0 and 1."""

    name: ClassVar[str] = "cast"
    moves: ClassVar[bool] = True
    traceable: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 0
    dtype: str

    def __post_init__(self) -> None:
        self._set("dtype", dtype_name(self.dtype))

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        return types[0].with_dtype(self.dtype)

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x = node.inputs[0].type
        return (cast(dy, x.dtype) if x.is_float and dy.type.is_float else None,)

    def kinks(self, *arrays: Array) -> Array | None:
        return (
            arrays[0].astype("?" if self.dtype == "bool" else "i8")
            if self.dtype in ("i64", "bool")
            else None
        )

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each"

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.cast(self.dtype)

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x, casting="unsafe")


@op
class DimSize(Op):
    """The size of a symbol, as f64[]: a mean divides by it."""

    name: ClassVar[str] = "dim"
    flops_per_element: ClassVar[int] = 0
    symbol: Dim

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 0)
        return TensorType("f64", ())

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return ()

    def free_symbols(self) -> tuple[str, ...]:
        return (self.symbol,) if isinstance(self.symbol, str) else ()

    def bind(self, sizes: Mapping[str, int]) -> Op:
        return DimSize(size_of(self.symbol, sizes)) if isinstance(self.symbol, str) else self

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "sum"

    def exact(self, at: Point) -> Residues:
        return at.numbers(at.size(self.symbol))

    def run(self, *, out: Array) -> None:
        if isinstance(self.symbol, str):
            raise RunError(f"dim{{{self.symbol}}} needs the size of {self.symbol}")
        out.fill(self.symbol)


@op
class Reshape(Op):
    """y = x with its elements, row by row, in another shape; a symbol must stay in its place."""

    name: ClassVar[str] = "reshape"
    moves: ClassVar[bool] = True
    traceable: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 0
    shape: Shape

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        (x,) = types
        sizes, wanted = _sizes(x.shape), _sizes(self.shape)
        if sizes != wanted:
            raise GraphError(f"{x} has other elements than the shape {_written(self.shape)}")
        return x.with_shape(self.shape)

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (reshape(dy, node.inputs[0].type.shape),)

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each"

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.reshape(*at.shape)

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x.reshape(out.shape))


@op
class Transpose(Op):
    """y = x with its axes in another order."""

    name: ClassVar[str] = "transpose"
    moves: ClassVar[bool] = True
    traceable: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 0
    axes: tuple[int, ...]

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        (x,) = types
        if sorted(self.axes) != list(range(x.rank)):
            raise GraphError(f"axes {list(self.axes)} are no order of the {x.rank} axes of {x}")
        return x.with_shape(x.shape[a] for a in self.axes)

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        back = sorted(range(len(self.axes)), key=lambda i: self.axes[i])
        return (transpose(dy, back),)

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each" if self.axes[:1] == (0,) else None

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.transpose(self.axes)

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x.transpose(self.axes))


@op
class BroadcastTo(Op):
    """y = x repeated to a larger shape, as NumPy broadcasts; a symbol meets only itself or 1."""

    name: ClassVar[str] = "broadcast_to"
    moves: ClassVar[bool] = True
    traceable: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 0
    shape: Shape

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        (x,) = types
        wanted = x.with_shape(self.shape)
        if broadcast(x, wanted) != wanted.shape:
            raise GraphError(f"{x} does not broadcast to {_written(self.shape)}")
        return wanted

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy,)  # the differentiation sums over what was broadcast

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each"

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.broadcast_to(at.shape)

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x)


def copy(x: Node, *, name: str | None = None) -> Node:
    """x, in a buffer of its own."""
    return apply(Copy(), x, name=name)


def cast(x: Node, dtype: str, *, name: str | None = None) -> Node:
    """x in another dtype: f32, f64, i64 or bool."""
    return apply(Cast(dtype), x, name=name)


def dim(symbol: str, *, name: str | None = None) -> Node:
    """The size of a symbol such as 'N', as f64[]."""
    return apply(DimSize(symbol), name=name)


def reshape(x: Node, shape: Iterable[Dim], *, name: str | None = None) -> Node:
    """x with its elements, row by row, in another shape."""
    return apply(Reshape(check_shape(shape)), x, name=name)


def transpose(
    x: Node, axis: Axis | None = None, *, axes: Axis | None = None, name: str | None = None
) -> Node:
    """x with its axes in another order; reversed, unless said. `axes` is the same as `axis`."""
    check_node("transpose", "x", x)
    order = several("transpose", x, axis, axes)
    reversed_ = tuple(range(x.type.rank))[::-1]
    return apply(Transpose(reversed_ if order is None else order), x, name=name)


def broadcast_to(x: Node, shape: Iterable[Dim], *, name: str | None = None) -> Node:
    """x repeated to a larger shape."""
    return apply(BroadcastTo(check_shape(shape)), x, name=name)


def _sizes(shape: Shape) -> tuple[int, list[str]]:
    """The product of the numbers, and the symbols in order: equal for shapes of equal elements."""
    numbers = 1
    for d in shape:
        numbers *= d if isinstance(d, int) else 1
    return numbers, [d for d in shape if isinstance(d, str)]


def _written(shape: Shape) -> str:
    return f"[{','.join(map(str, shape))}]"
