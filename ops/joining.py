"""Ops that take tensors apart and put them together: slices, padding, concatenation."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ..graph import Array, GraphError, Node, Op, OverRows, Point, Residues, TensorType, apply, op
from .axes import single


@op
class Slice(Op):
    """y = the elements start to stop (not included) of x along an axis."""

    name: ClassVar[str] = "slice"
    moves: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 0
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

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each" if self.axis else None

    def exact(self, at: Point, x: Residues) -> Residues:
        return x[_along(self.axis, self.start, self.stop)]

    def run(self, x: Array, *, out: Array) -> None:
        np.copyto(out, x[_along(self.axis, self.start, self.stop)])


@op
class Pad(Op):
    """y = x with zeros before and after it along an axis."""

    name: ClassVar[str] = "pad"
    flops_per_element: ClassVar[int] = 0
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

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each" if self.axis else None

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.put(_along(self.axis, self.before, self.before + x.shape[self.axis]), at.shape)

    def run(self, x: Array, *, out: Array) -> None:
        out.fill(0)
        stop = self.before + x.shape[self.axis]
        np.copyto(out[_along(self.axis, self.before, stop)], x)


@op
class Concat(Op):
    """y = the inputs one after another along an axis, whose sizes are numbers."""

    name: ClassVar[str] = "concat"
    moves: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 0
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

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each" if self.axis else None

    def exact(self, at: Point, *xs: Residues) -> Residues:
        total, start = at.numbers(0), 0
        for x in xs:
            stop = start + x.shape[self.axis]
            total += x.put(_along(self.axis, start, stop), at.shape)
            start = stop
        return total

    def run(self, *arrays: Array, out: Array) -> None:
        np.concatenate(arrays, axis=self.axis, out=out)


def slice(x: Node, axis: int, start: int, stop: int, *, name: str | None = None) -> Node:
    """The elements start to stop (not included) of x along an axis."""
    return apply(Slice(single("slice", x, axis), start, stop), x, name=name)


def pad(x: Node, axis: int, before: int, after: int, *, name: str | None = None) -> Node:
    """x with zeros before and after it along an axis."""
    return apply(Pad(single("pad", x, axis), before, after), x, name=name)


def concat(
    *xs: Node | Sequence[Node],
    axis: int | None = None,
    axes: int | None = None,
    name: str | None = None,
) -> Node:
    """The inputs, or those of one list, one after another along an axis.

    `axes` is another word for `axis`, which has to be given.
    """
    inputs = list(xs[0]) if len(xs) == 1 and isinstance(xs[0], (list, tuple)) else xs
    nodes = [x for x in inputs if isinstance(x, Node)]
    if not nodes or len(nodes) != len(inputs):
        raise GraphError(
            "concat takes nodes, or one list of them: write e.g. vg.concat([a, b], axis=1)"
        )
    return apply(Concat(single("concat", nodes[0], axis, axes)), *nodes, name=name)


def _along(axis: int, start: int, stop: int) -> tuple[builtins.slice, ...]:
    return (*[builtins.slice(None)] * axis, builtins.slice(start, stop))
