"""Ops that read or write one place of each row: labels and first maxima."""

from __future__ import annotations

import math
from typing import Any

from ....graph import Node
from .builder import Builder, Value


def nll(at: Builder, n: Node, p: Value, labels: Value) -> Value:
    """-p[i, labels[i]]."""
    column = at.op("Unsqueeze", labels, at.whole(1))
    return -at.op("Squeeze", at.op("GatherElements", p, column, axis=1), at.whole(1))


def nll_grad(at: Builder, n: Node, dy: Value, labels: Value) -> Value:
    """-dy[i] at the label, 0 elsewhere."""
    op: Any = n.op
    column = at.op("Unsqueeze", labels, at.whole(1))
    at_label = at.op("Equal", column, at.whole(*range(op.classes)), dtype="bool")
    return at.where(at_label, at.op("Unsqueeze", -dy, at.whole(1)), 0.0)


def row_starts(at: Builder, n: Node) -> Value:
    """0, classes, 2 classes and so on."""
    op: Any = n.op
    end = at.op("Squeeze", at.size(op.rows)) * op.classes
    return at.op("Range", at.number(0, "i64"), end, op.classes)


def nll_at(at: Builder, n: Node, p: Value, places: Value) -> Value:
    """-p.flat[places[i]]."""
    return -at.op("Gather", at.op("Reshape", p, at.whole(-1)), places)


def softmax_nll_grad(at: Builder, n: Node, p: Value, places: Value, dy: Value) -> Value:
    """dy (exp(p) - 1 at the label)."""
    every = at.op("Range", at.number(0, "i64"), at.op("Size", p, dtype="i64"), 1)
    column, factor = (at.op("Unsqueeze", v, at.whole(1)) for v in (places, dy))
    at_label = at.op("Equal", at.reshape(every, n.shape), column, dtype="bool")
    return at.op("Exp", p) * factor - at.where(at_label, factor, 0.0)


def first_max(at: Builder, n: Node, x: Value) -> Value:
    """1 where the place along the axes is that of the first maximum: several axes are made one,
    the last, and parted again."""
    op: Any = n.op
    rank = n.type.rank
    axes = tuple(range(rank)) if op.axes is None else op.axes
    if not axes:
        return at.op("Expand", at.number(1.0, n.dtype), at.shape(n.shape))
    kept = [a for a in range(rank) if a not in axes]
    order = [*kept, *axes]
    turned = order != list(range(rank))
    moved = at.op("Transpose", x, perm=order) if turned else x
    shape = tuple([n.shape[a] for a in order])
    joined = at.op("ReduceProd", at.shape(shape[len(kept) :]))
    rows = at.op("Concat", *[at.size(d) for d in shape[: len(kept)]], joined, axis=0)
    x = at.op("Reshape", moved, rows, allowzero=1) if len(axes) > 1 else moved
    # Of nothing ArgMax is an error: one more, which is never the first, stands behind.
    x = at.op("Pad", x, at.whole(*[0] * (2 * len(kept) + 1), 1), -math.inf)
    place = at.op("ArgMax", x, dtype="i64", axis=-1, keepdims=1)
    every = at.op("Range", at.number(0, "i64"), at.op("Squeeze", joined), 1)
    first = at.op("Equal", place, every, dtype="bool").cast(n.dtype)
    parted = at.op("Reshape", first, at.shape(shape), allowzero=1) if len(axes) > 1 else first
    back = [order.index(a) for a in range(rank)]
    return at.op("Transpose", parted, perm=back) if turned else parted
