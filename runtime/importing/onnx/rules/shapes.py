"""The same elements in another shape or order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import prod
from typing import Final

import numpy as np

from .....graph import Dim, GraphError, Node
from .....ops import broadcast_to, slice
from ..call import Call, Rules, counted
from ..values import Known, Value, Weight, dims_array
from .parts import few, joined, numbered, ordered, shaped


def _shape(c: Call) -> Value:
    value = c.value(0)
    shape = value.shape if isinstance(value, Node) else value.array.shape
    start, end = c.integer("start", 0), c.integer("end", len(shape))
    return dims_array(shape[start:end])


def _size(c: Call) -> Value:
    shape = c.node(0).shape
    symbols = [d for d in shape if isinstance(d, str)]
    rest = prod(d for d in shape if isinstance(d, int))
    if not symbols:
        return Known(np.array(rest, np.int64))
    if len(symbols) > 1 or rest != 1:
        raise GraphError(f"the size of {c.node(0).type} is neither a number nor a symbol")
    return Known(np.array(symbols[0], dtype=object))


def _reformed(c: Call, k: int, form: Callable[[Sequence[Dim]], Sequence[Dim]]) -> Value:
    """Input k in the shape that `form` makes of its own; a weight that one node reads as well."""
    value = c.value(k)
    if isinstance(value, Node):
        return shaped(value, form(value.shape))
    array = value.array.reshape([numbered(d) for d in form(value.array.shape)])
    if isinstance(value, Known):
        return Known(array)
    return value.turned(array) if value.alone else shaped(c.node(k), array.shape)


def _reshape(c: Call) -> Value:
    wanted = c.dims(1) if c.has(1) else list(c.integers("shape") or [])
    keep_zero = bool(c.integer("allowzero", 0))
    return _reformed(c, 0, lambda shape: _target(c, shape, wanted, keep_zero))


def _target(c: Call, shape: Sequence[Dim], wanted: Sequence[Dim], keep_zero: bool) -> list[Dim]:
    """The shape that is meant: 0 is the size that is there, -1 what remains.

    A batch's size that was fixed in the file is the symbol that the user put in its place.
    """
    freed = c.reader.sources.freed
    target = [
        shape[k] if d == 0 and not keep_zero and k < len(shape) else d for k, d in enumerate(wanted)
    ]
    if target and shape and target[0] in freed and freed[int(target[0])] == shape[0]:
        target[0] = shape[0]
    if target.count(-1) > 1 or any(isinstance(d, int) and d < -1 for d in target):
        raise GraphError(f"the shape {list(wanted)} is none")
    if -1 in target:
        rest = _rest(shape, [d for d in target if d != -1])
        target = [rest if d == -1 else d for d in target]
    return target


def _rest(shape: Sequence[Dim], others: Sequence[Dim]) -> Dim:
    """What is left of a shape beside the other sizes: a number, or one symbol."""
    left = Counter(d for d in shape if isinstance(d, str))
    left.subtract(d for d in others if isinstance(d, str))
    size, beside = (prod(d for d in dims if isinstance(d, int)) for dims in (shape, others))
    symbols = list(left.elements())
    number = size // beside if beside and size % beside == 0 else None
    if number is None or any(count < 0 for count in left.values()):
        raise GraphError(f"{list(shape)} does not make {list(others)} and a rest")
    if not symbols:
        return number
    if len(symbols) > 1 or number != 1:
        raise GraphError(
            f"it joins {' and '.join(map(str, symbols))} with {number} others into one axis, whose "
            "size is neither a number nor a symbol\nfix: give the inputs shapes in numbers, "
            "from_onnx(..., shapes={...})"
        )
    return symbols[0]


def _flatten(c: Call) -> Value:
    def form(shape: Sequence[Dim]) -> list[Dim]:
        axis = c.integer("axis", 1)
        at = axis + len(shape) if axis < 0 else axis
        return [_joined(shape[:at]), _joined(shape[at:])]

    return _reformed(c, 0, form)


def _joined(dims: Sequence[Dim]) -> Dim:
    return _rest(dims, [])


def _squeeze(c: Call) -> Value:
    axes = c.axes(1)

    def form(shape: Sequence[Dim]) -> list[Dim]:
        chosen = [k for k, d in enumerate(shape) if d == 1]
        if axes is not None:
            chosen = [counted(a, len(shape)) for a in axes]
        if any(shape[k] != 1 for k in chosen):
            raise GraphError(
                f"it takes away axes {chosen} of {list(shape)}, which are not of size 1"
            )
        return [d for k, d in enumerate(shape) if k not in chosen]

    return _reformed(c, 0, form)


def _unsqueeze(c: Call) -> Value:
    axes = c.axes(1) or []

    def form(shape: Sequence[Dim]) -> list[Dim]:
        rank, rest = len(shape) + len(axes), iter(shape)
        new = [counted(a, rank) for a in axes]
        if len(set(new)) < len(new):
            raise GraphError(f"the axes {axes} name one twice")
        return [1 if k in new else next(rest) for k in range(rank)]

    return _reformed(c, 0, form)


def _transpose(c: Call) -> Value:
    value = c.value(0)
    order = c.integers("perm")
    rank = value.type.rank if isinstance(value, Node) else value.array.ndim
    axes = list(range(rank))[::-1] if order is None else [counted(a, rank) for a in order]
    if isinstance(value, Weight) and value.alone:
        return value.turned(value.array.transpose(axes))
    return ordered(c.node(0), axes)


def _expand(c: Call) -> Value:
    """x repeated to a shape, or to what both broadcast to."""
    x = c.node(0)
    wanted = c.dims(1)
    if (
        wanted
        and x.shape
        and wanted[0] in c.reader.sources.freed
        and x.shape[0] == c.reader.sources.freed[int(wanted[0])]
    ):
        wanted[0] = x.shape[0]
    rank = max(len(wanted), x.type.rank)
    own, given = ([*[1] * (rank - len(dims)), *dims] for dims in (list(x.shape), wanted))
    return broadcast_to(x, [a if b == 1 else b for a, b in zip(own, given, strict=True)])


def _tile(c: Call) -> Value:
    x = c.node(0)
    for axis, times in enumerate(c.whole(1)):
        size = x.shape[axis]
        if times == 0:
            x = slice(x, axis, 0, 0)
        elif times > 1 and size == 1:
            x = broadcast_to(x, [times if k == axis else d for k, d in enumerate(x.shape)])
        elif times > 1:
            x = joined([x] * few(times), axis)
    return x


def _depth_to_space(c: Call) -> Value:
    """Blocks of channels spread over the places."""
    x, size = c.node(0), c.integer("blocksize", 1)
    n, channels, height, width = x.shape
    depth = numbered(channels) // size**2
    if c.text("mode", "DCR") == "DCR":
        split, order = (n, size, size, depth, height, width), (0, 3, 4, 1, 5, 2)
    else:
        split, order = (n, depth, size, size, height, width), (0, 1, 4, 2, 5, 3)
    spread = ordered(shaped(x, split), order)
    return shaped(spread, (n, depth, numbered(height) * size, numbered(width) * size))


def _space_to_depth(c: Call) -> Value:
    """Blocks of places put into channels."""
    x, size = c.node(0), c.integer("blocksize", 1)
    n, channels, height, width = x.shape
    rows, columns = numbered(height) // size, numbered(width) // size
    order = (0, 3, 5, 1, 2, 4) if c.text("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    blocks = ordered(shaped(x, (n, channels, rows, size, columns, size)), order)
    return shaped(blocks, (n, numbered(channels) * size**2, rows, columns))


RULES: Final[Rules] = {
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": _size,
    "SpaceToDepth": _space_to_depth,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
