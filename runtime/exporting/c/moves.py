"""Ops in C that move elements, count, or draw them."""

from __future__ import annotations

from typing import Any

from ....graph import Dim, Node
from ....ops.random import name_hash
from .body import Body
from .loops import variables
from .numbers import literal


def write_reshape(b: Body, n: Node) -> None:
    """The same elements in another shape."""
    (x,) = n.inputs
    if not n.type.rank or not x.type.rank:
        b.put(n, "0", b.element(x, "0"))
        return
    _copied(b, n, x)


def write_transpose(b: Body, n: Node) -> None:
    """The axes in another order."""
    (x,) = n.inputs
    op: Any = n.op
    index = variables(n.type.rank)
    b.define(n)
    read = [index[op.axes.index(axis)] for axis in range(x.type.rank)]
    with b.text.scope(n.type.shape, index):
        b.put(n, b.text.place(n.type.shape, index), b.element(x, b.text.place(x.type.shape, read)))


def write_slice(b: Body, n: Node) -> None:
    """The elements from start to stop along an axis."""
    (x,) = n.inputs
    op: Any = n.op
    _moved(b, n, x, op.axis, n.type.shape[op.axis], read_from=op.start)


def write_pad(b: Body, n: Node) -> None:
    """Zeros before and after along an axis."""
    (x,) = n.inputs
    op: Any = n.op
    b.text.add(f"memset({b.array(n)}, 0, {b.text.count(n.type.shape)} * sizeof *{b.array(n)});")
    _moved(b, n, x, op.axis, x.type.shape[op.axis], written_from=op.before)


def write_concat(b: Body, n: Node) -> None:
    """The inputs one after another along an axis."""
    op: Any = n.op
    if len(n.inputs) == 1:
        _copied(b, n, n.inputs[0])
        return
    start = 0
    for x in n.inputs:
        size = x.type.shape[op.axis]
        assert isinstance(size, int)
        _moved(b, n, x, op.axis, size, written_from=start)
        start += size


def write_dim(b: Body, n: Node) -> None:
    """The size of a symbol."""
    op: Any = n.op
    b.put(n, "", f"(double){b.text.size(op.symbol)}")


def write_row_starts(b: Body, n: Node) -> None:
    """Where each row begins, counted flat."""
    op: Any = n.op
    with b.text.block(b.text.head("i", b.text.size(op.rows))):
        b.put(n, "i", f"(int64_t)(i * {op.classes})")


def write_dropout_mask(b: Body, n: Node) -> None:
    """The mask of a step: the same bits as NumPy's."""
    op: Any = n.op
    (step,) = n.inputs
    scale, count = literal(op.scale, n.type.dtype), b.text.count(n.type.shape)
    if not n.type.rank:
        count = "1"
    b.define(n)
    words = [f"UINT64_C({w})" for w in (op.seed, name_hash(op.key))]
    below = f"UINT64_C({op.below})"
    given = [count, *words, b.element(step, ""), below, scale]
    array = b.array(n) if n.type.rank else f"&{b.array(n)}"
    b.text.add(f"{b.helper('mask', n.type)}({', '.join([*given, array])});")


def _copied(b: Body, n: Node, x: Node) -> None:
    size = f"{b.text.count(n.type.shape)} * sizeof *{b.array(n)}"
    b.text.add(f"memcpy({b.array(n)}, {b.array(x)}, {size});")


def _moved(
    b: Body, n: Node, x: Node, axis: int, size: Dim, read_from: int = 0, written_from: int = 0
) -> None:
    """Copies so many elements along an axis, in each place of the axes before it."""
    shape, behind = n.type.shape, n.type.shape[axis + 1 :]
    index = variables(len(shape))
    over = (*shape[:axis], size, *behind)
    with b.text.scope(over, index):
        places = []
        for t, first in ((n.type, written_from), (x.type, read_from)):
            at = list(index)
            at[axis] = _plus("0" if size == 1 else index[axis], first)
            places.append(_place(b, t.shape, at, over))
        b.put(n, places[0], b.element(x, places[1]))


def _plus(variable: str, first: int) -> str:
    if variable == "0":
        return str(first)
    return f"{variable} + {first}" if first else variable


def _place(b: Body, shape: tuple[Dim, ...], index: list[str], over: tuple[Dim, ...]) -> str:
    """Where an element lies, for variables of which those of axes of size 1 are 0."""
    terms = []
    for k, (v, d) in enumerate(zip(index, over, strict=True)):
        if d == 1 and not v[0].isdigit():
            continue
        stride = b.text.count(shape[k + 1 :])
        if v == "0":
            continue
        term = f"({v})" if " " in v and stride != "1" else v
        terms.append(term if stride == "1" else f"{term} * {stride}")
    return " + ".join(terms) or "0"
