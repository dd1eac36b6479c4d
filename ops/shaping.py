"""Ops that move elements or rename their places: casts, shapes, slices."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from typing import ClassVar

import numpy as np

from ..graph import (
    Array,
    Dim,
    GraphError,
    Node,
    Op,
    RunError,
    Shape,
    TensorType,
    apply,
    broadcast,
    dtype_name,
    op,
)


@op
class Copy(Op):
    """y = x, in a buffer of its own."""

    name: ClassVar[str] = "copy"

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        return types[0]

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy,)

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x)


@op
class Cast(Op):
    """y = x in another dtype; floats lose digits, and bool becomes 0 and 1."""

    name: ClassVar[str] = "cast"
    dtype: str

    def __post_init__(self) -> None:
        self._set("dtype", dtype_name(self.dtype))

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        return types[0].with_dtype(self.dtype)

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x = node.inputs[0].type
        return (cast(dy, x.dtype) if x.is_float and dy.type.is_float else None,)

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x, casting="unsafe")


@op
class DimSize(Op):
    """The size of a symbol, as f64[]: a mean divides by it."""

    name: ClassVar[str] = "dim"
    symbol: Dim

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 0)
        return TensorType("f64", ())

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return ()

    def free_symbols(self) -> tuple[str, ...]:
        return (self.symbol,) if isinstance(self.symbol, str) else ()

    def bind(self, sizes: Mapping[str, int]) -> Op:
        return DimSize(sizes[self.symbol]) if isinstance(self.symbol, str) else self

    def run(self, *, out: Array) -> None:
        if isinstance(self.symbol, str):
            raise RunError(f"dim{{{self.symbol}}} needs the size of {self.symbol}")
        out.fill(self.symbol)


@op
class Reshape(Op):
    """y = x with its elements, row by row, in another shape; a symbol must stay in its place."""

    name: ClassVar[str] = "reshape"
    shape: Shape

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        (x,) = types
        given, wanted = _sizes(x.shape), _sizes(self.shape)
        if given != wanted:
            raise GraphError(f"{x} has other elements than the shape {_written(self.shape)}")
        return x.with_shape(self.shape)

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (reshape(dy, node.inputs[0].type.shape),)

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x.reshape(out.shape))


@op
class Transpose(Op):
    """y = x with its axes in another order."""

    name: ClassVar[str] = "transpose"
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

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x.transpose(self.axes))


@op
class BroadcastTo(Op):
    """y = x repeated to a larger shape, as NumPy broadcasts; a symbol meets only itself or 1."""

    name: ClassVar[str] = "broadcast_to"
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

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x)


@op
class Slice(Op):
    """y = the elements start to stop (not included) of x along an axis."""

    name: ClassVar[str] = "slice"
    axis: int
    start: int
    stop: int

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        (x,) = types
        size = x.shape[self.axis] if 0 <= self.axis < x.rank else None
        if not isinstance(size, int) or not 0 <= self.start <= self.stop <= size:
            raise GraphError(
                f"{self.start}:{self.stop} is no part of axis {self.axis} of {x}: the axis has a "
                "size in numbers, and 0 <= start <= stop <= size"
            )
        return x.with_shape(
            self.stop - self.start if i == self.axis else d for i, d in enumerate(x.shape)
        )

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        size = node.inputs[0].type.shape[self.axis]
        assert isinstance(size, int)
        return (apply(Pad(self.axis, self.start, size - self.stop), dy),)

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x[_along(self.axis, self.start, self.stop)])


@op
class Pad(Op):
    """y = x with zeros before and after it along an axis."""

    name: ClassVar[str] = "pad"
    axis: int
    before: int
    after: int

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        (x,) = types
        size = x.shape[self.axis] if 0 <= self.axis < x.rank else None
        if not isinstance(size, int) or self.before < 0 or self.after < 0:
            raise GraphError(
                f"axis {self.axis} of {x} cannot be padded by {self.before}, {self.after}"
            )
        grown = self.before + size + self.after
        return x.with_shape(grown if i == self.axis else d for i, d in enumerate(x.shape))

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        size = node.inputs[0].type.shape[self.axis]
        assert isinstance(size, int)
        return (slice(dy, self.axis, self.before, self.before + size),)

    def run(self, x: Array, *, out: Array) -> None:
        out.fill(0)
        stop = self.before + x.shape[self.axis]
        np.copyto(out[_along(self.axis, self.before, stop)], x)


@op
class Concat(Op):
    """y = the inputs one after another along an axis, whose sizes are numbers."""

    name: ClassVar[str] = "concat"
    axis: int

    def infer(self, *types: TensorType) -> TensorType:
        if not types:
            raise GraphError("concat takes one input or more, 0 given")
        first, k = types[0], self.axis
        if not 0 <= k < first.rank:
            raise GraphError(f"{first} has no axis {k}")
        for t in types:
            same = t.dtype == first.dtype and t.rank == first.rank
            if not same or t.shape[:k] + t.shape[k + 1 :] != first.shape[:k] + first.shape[k + 1 :]:
                raise GraphError(f"{first} and {t} differ in more than axis {k}")
        sizes = [t.shape[k] for t in types]
        if not all(isinstance(s, int) for s in sizes) and len(sizes) > 1:
            raise GraphError(
                f"axis {k} would have the size {' + '.join(map(str, sizes))}, which is neither a "
                "number nor a symbol"
            )
        total = sizes[0] if len(sizes) == 1 else sum(s for s in sizes if isinstance(s, int))
        return first.with_shape(total if i == k else d for i, d in enumerate(first.shape))

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        if len(node.inputs) == 1:
            return (dy,)
        parts: list[Node] = []
        start = 0
        for x in node.inputs:
            size = x.type.shape[self.axis]
            assert isinstance(size, int)
            parts.append(slice(dy, self.axis, start, start + size))
            start += size
        return tuple(parts)

    def run(self, *arrays: Array, out: Array) -> None:
        np.concatenate(arrays, axis=self.axis, out=out)


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
    return apply(Reshape(tuple(shape)), x, name=name)


def transpose(x: Node, axes: Iterable[int] | None = None, *, name: str | None = None) -> Node:
    """x with its axes in another order; reversed, unless said."""
    order = range(x.type.rank)[::-1] if axes is None else axes
    return apply(Transpose(tuple(order)), x, name=name)


def broadcast_to(x: Node, shape: Iterable[Dim], *, name: str | None = None) -> Node:
    """x repeated to a larger shape."""
    return apply(BroadcastTo(tuple(shape)), x, name=name)


def slice(x: Node, axis: int, start: int, stop: int, *, name: str | None = None) -> Node:
    """The elements start to stop (not included) of x along an axis."""
    return apply(Slice(axis, start, stop), x, name=name)


def pad(x: Node, axis: int, before: int, after: int, *, name: str | None = None) -> Node:
    """x with zeros before and after it along an axis."""
    return apply(Pad(axis, before, after), x, name=name)


def concat(*xs: Node, axis: int, name: str | None = None) -> Node:
    """The inputs one after another along an axis."""
    return apply(Concat(axis), *xs, name=name)


def _along(axis: int, start: int, stop: int) -> tuple[builtins.slice, ...]:
    return (*[builtins.slice(None)] * axis, builtins.slice(start, stop))


def _sizes(shape: Shape) -> tuple[int, list[str]]:
    """The product of the numbers, and the symbols in order: equal for shapes of equal elements."""
    numbers = 1
    for d in shape:
        numbers *= d if isinstance(d, int) else 1
    return numbers, [d for d in shape if isinstance(d, str)]


def _written(shape: Shape) -> str:
    return f"[{','.join(map(str, shape))}]"
