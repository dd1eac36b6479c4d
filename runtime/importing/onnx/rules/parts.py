"""What several rules are made of: choices between truths, numbers of any dtype, ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from .....graph import Constant, Dim, GraphError, Node, constant
from .....ops import broadcast_to, cast, concat, not_equal, reshape, slice, transpose, where

MOST_PIECES: Final = 8192
"""Of how many pieces, at most, a tensor is put together."""
LONGEST: Final = 1 << 22
"""Of how many elements a range or a table may be that is made as a file is read."""


def true() -> Node:
    """The constant that is true."""
    return constant(np.True_, "bool")


def false() -> Node:
    """The constant that is false."""
    return constant(np.False_, "bool")


def both(a: Node, b: Node) -> Node:
    """Whether a and b."""
    return where(a, b, false())


def either(a: Node, b: Node) -> Node:
    """Whether a or b."""
    return where(a, true(), b)


def unless(a: Node) -> Node:
    """Whether not a."""
    return where(a, false(), true())


def number(value: float, like: Node) -> Node:
    """A constant of the dtype of a node."""
    return constant(value, like.dtype)


def as_dtype(x: Node, dtype: str) -> Node:
    """x in that dtype, and as it is where it has it."""
    if x.dtype == dtype:
        return x
    if dtype == "bool":
        return not_equal(x, 0)
    return cast(x, dtype)


def full(value: float, shape: Sequence[Dim], dtype: str) -> Node:
    """A constant of one value and any shape."""
    return broadcast_to(constant(value, dtype), tuple(shape))


def in_floats(x: Node) -> Node:
    """x, or as f64, which holds every whole number of up to 2^53, where it is none of floats."""
    return x if x.type.is_float else cast(x, "f64")


def counting(size: Dim, dtype: str = "i64") -> Node:
    """0, 1, ... up to a size in numbers."""
    return constant(np.arange(few(size, LONGEST)), dtype)


def numbered(size: Dim) -> int:
    """A size that has to be a number."""
    if isinstance(size, str):
        raise GraphError(
            f"it needs the size of an axis that only a feed tells, {size}\nfix: give the inputs "
            "shapes in numbers, from_onnx(..., shapes={...})"
        )
    return size


def few(size: Dim, most: int = MOST_PIECES) -> int:
    """A size in numbers of which a node is made for each; GraphError for more than there may be."""
    number = numbered(size)
    if number > most:
        raise GraphError(f"it takes {number:,} pieces, where {most:,} are the most")
    return number


def along(axis: int, rank: int, size: Dim) -> tuple[Dim, ...]:
    """The shape of a vector of that size that lies along an axis of so many."""
    return tuple([size if i == axis else 1 for i in range(rank)])


def expanded(x: Node, axes: Sequence[int]) -> Node:
    """x with axes of size 1 put in, counted in the result."""
    rank, rest = x.type.rank + len(axes), iter(x.shape)
    return shaped(x, [1 if i in axes else next(rest) for i in range(rank)])


def shaped(x: Node, shape: Sequence[Dim]) -> Node:
    """x in that shape, and as it is where it has it."""
    if isinstance(x.op, Constant) and all(isinstance(d, int) for d in shape):
        return constant(x.op.value.array.reshape(tuple(map(int, shape))), x.dtype)
    return x if x.shape == tuple(shape) else reshape(x, tuple(shape))


def ordered(x: Node, axes: Sequence[int]) -> Node:
    """x with its axes in that order, and as it is where they are."""
    return x if list(axes) == list(range(x.type.rank)) else transpose(x, tuple(axes))


def joined(parts: Sequence[Node], axis: int) -> Node:
    """The parts one after another along an axis."""
    return parts[0] if len(parts) == 1 else concat(list(parts), axis=axis)


def picked(x: Node, axis: int, places: Sequence[int]) -> Node:
    """The elements of x at places along an axis, in their order: runs are slices."""
    size, _ = numbered(x.shape[axis]), few(len(places), LONGEST)
    runs: list[tuple[int, int]] = []
    for place in places:
        at = place + size if place < 0 else place
        if not 0 <= at < size:
            raise GraphError(f"the place {place} is none of the {size} along axis {axis}")
        if runs and runs[-1][1] == at:
            runs[-1] = (runs[-1][0], at + 1)
        else:
            runs.append((at, at + 1))
    few(len(runs))
    if runs == [(0, size)]:
        return x
    return joined([slice(x, axis, *run) for run in runs or [(0, 0)]], axis)
