"""Parts of tensors, and tensors of parts: slices, splits, padding, concatenation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import numpy as np

from .....graph import GraphError, Node
from .....ops import broadcast_to, pad, slice
from ..call import Call, Rules, counted
from ..values import Value
from .parts import LONGEST, few, full, joined, number, numbered, picked, shaped

_MODES: Final[Mapping[str, Literal["reflect", "edge", "wrap"]]] = {
    "reflect": "reflect", "edge": "edge", "wrap": "wrap",
}  # fmt: skip


def _concat(c: Call) -> Value:
    nodes = [n for n in c.nodes() if 0 not in n.shape] or c.nodes()[:1]
    return joined(nodes, c.axis(0 if c.version < 4 else -1, nodes[0].type.rank))


def _slice(c: Call) -> Value:
    x = c.node(0)
    if c.version < 10:
        starts, ends = c.integers("starts") or [], c.integers("ends") or []
        axes, steps = c.integers("axes"), None
    else:
        starts, ends = c.whole(1), _ends(c)
        axes = c.whole(3) if c.has(3) else None
        steps = c.whole(4) if c.has(4) else None
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        x = _cut(x, counted(axis, x.type.rank), start, end, step)
    return x


_FAR: Final = 2**31 - 1


def _ends(c: Call) -> list[int]:
    """Where slices end: a symbol is the end of its own axis."""
    return [_FAR if isinstance(d, str) else d for d in c.dims(2)]


def _cut(x: Node, axis: int, start: int, end: int, step: int) -> Node:
    size = x.shape[axis]
    if isinstance(size, str):
        if step == 1 and start == 0 and end >= _FAR:
            return x
        raise GraphError(f"it cuts {start}:{end}:{step} of axis {axis} of {x.type}, a symbol")
    if step == 1:
        first, stop, _ = np.s_[start:end].indices(size)
        return x if (first, stop) == (0, size) else slice(x, axis, first, max(first, stop))
    places = range(*np.s_[start:end:step].indices(size))
    few(len(places), LONGEST)
    return picked(x, axis, places)


def _split(c: Call) -> list[Value | None]:
    x = c.node(0)
    axis = c.axis(0, x.type.rank)
    size = numbered(x.shape[axis])
    few(len(c.outputs) if "num_outputs" not in c.attributes else c.integer("num_outputs", 1))
    sizes = c.integers("split") or (c.whole(1) if c.has(1) else None)
    if sizes is None:
        parts = c.integer("num_outputs", len(c.outputs))
        each = -(-size // parts)
        sizes = [max(0, min(each, size - k * each)) for k in range(parts)]
    if sum(sizes) != size:
        raise GraphError(f"it splits {size} into {sizes}")
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    return [slice(x, axis, s, s + n) for s, n in zip(starts, sizes, strict=True)]


def _pad(c: Call) -> Value:
    x = c.node(0)
    mode = c.text("mode", "constant")
    pads = c.integers("pads") or c.whole(1)
    axes = [counted(a, x.type.rank) for a in c.whole(3)] if c.has(3) else range(x.type.rank)
    value = c.node(2) if c.has(2) else None
    if value is None and (filler := c.number("value", 0.0)):
        value = number(filler, x)
    for k, axis in enumerate(axes):
        before, after = pads[k], pads[k + len(axes)]
        if (before, after) != (0, 0):
            x = _padded(x, axis, before, after, mode, value)
    return x


def _padded(x: Node, axis: int, before: int, after: int, mode: str, value: Node | None) -> Node:
    size = numbered(x.shape[axis])
    if before < 0 or after < 0:
        x = slice(x, axis, max(0, -before), size - max(0, -after))
        before, after, size = max(0, before), max(0, after), numbered(x.shape[axis])
    if mode != "constant":
        if mode not in _MODES:
            raise GraphError(f"the mode {mode!r} is unknown")
        few(before + size + after, LONGEST)
        return picked(x, axis, np.pad(np.arange(size), (before, after), _MODES[mode]).tolist())
    if value is None and x.type.is_float:
        return pad(x, axis, before, after)
    parts = [_filled(x, axis, size, value) for size in (before, after)]
    return joined([p for p in (parts[0], x, parts[1]) if p.shape[axis] != 0] or [x], axis)


def _filled(x: Node, axis: int, size: int, value: Node | None) -> Node:
    shape = [size if k == axis else d for k, d in enumerate(x.shape)]
    return full(0, shape, x.dtype) if value is None else broadcast_to(shaped(value, ()), shape)


RULES: Final[Rules] = {
    "Concat": _concat,
    "Pad": _pad,
    "Slice": _slice,
    "Split": _split,
}
