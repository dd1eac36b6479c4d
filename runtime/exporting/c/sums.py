"""Sums, means and maxima in C; floats are summed in double."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from ....graph import Dim, Node
from ....ops.clipping import SHRINK
from .body import Body
from .loops import variables
from .numbers import TYPES, literal

_ONE: Final = re.compile(r"\w+(\([^()]*\))?")
"""A name, or a call."""
_SHRUNK: Final = literal(SHRINK, "f64")


class Axes:
    """The axes of a reduction: those that are kept, those that are joined, and their variables."""

    def __init__(self, n: Node) -> None:
        op: Any = n.op
        self.shape = n.inputs[0].type.shape
        self.joined = list(range(len(self.shape)) if op.axes is None else op.axes)
        self.kept = [k for k in range(len(self.shape)) if k not in self.joined]
        named = variables(len(self.shape))
        order = {axis: named[k] for k, axis in enumerate([*self.kept, *self.joined])}
        self.index = [order[axis] for axis in range(len(self.shape))]

    def of(self, axes: Sequence[int]) -> tuple[list[Dim], list[str]]:
        """The sizes and the variables of some axes."""
        return [self.shape[a] for a in axes], [self.index[a] for a in axes]

    def result(self, b: Body, n: Node) -> str:
        """Where the result lies of what the variables of the kept axes stand at."""
        whole = len(n.type.shape) == len(self.shape)
        return b.text.place(n.type.shape, self.index if whole else self.of(self.kept)[1])

    def refuse_nothing(self, b: Body) -> None:
        """Refuses to join no elements where a result is due."""
        kept, joined = self.of(self.kept)[0], self.of(self.joined)[0]
        if 0 in kept or not any(d == 0 or isinstance(d, str) for d in joined):
            return
        due = [f"{b.text.size(d)} > 0" for d in dict.fromkeys(kept) if isinstance(d, str)]
        if 0 in joined:
            b.refuse(" && ".join(due) or "1", "SIZE")
            return
        for d in dict.fromkeys(joined):
            if isinstance(d, str) and d not in kept:
                b.refuse(" && ".join([f"{b.text.size(d)} == 0", *due]), "SIZE")


def write_sum(b: Body, n: Node) -> None:
    """The sum along some axes."""
    _summed(b, n, Axes(n), "total")


def write_mean(b: Body, n: Node) -> None:
    """The mean along some axes; that of nothing is refused."""
    axes = Axes(n)
    axes.refuse_nothing(b)
    count = b.text.count(axes.of(axes.joined)[0])
    _summed(b, n, axes, f"total / (double){count if count.isidentifier() else f'({count})'}")


def _summed(b: Body, n: Node, axes: Axes, result: str) -> None:
    (x,) = n.inputs
    b.define(n)
    with b.text.scope(*axes.of(axes.kept)):
        b.text.add("double total = 0;")
        with b.text.loops(*axes.of(axes.joined)):
            element = b.element(x, b.text.place(axes.shape, axes.index))
            b.text.add(f"total += {widened(x, element)};")
        b.put(n, axes.result(b, n), rounded(n, result))


def write_max(b: Body, n: Node) -> None:
    """The maximum along some axes, NaN where one is; that of nothing is refused."""
    (x,) = n.inputs
    axes = Axes(n)
    axes.refuse_nothing(b)
    b.define(n)
    with b.text.scope(*axes.of(axes.kept)):
        b.text.add(f"{TYPES[n.type.dtype]} most = {literal(float('-inf'), n.type.dtype)};")
        with b.text.loops(*axes.of(axes.joined)):
            element = b.element(x, b.text.place(axes.shape, axes.index))
            b.text.add(f"most = {b.helper('max', n.type)}(most, {element});")
        b.put(n, axes.result(b, n), "most")


def write_first_max(b: Body, n: Node) -> None:
    """1 at the first maximum, or NaN, along some axes; 0 elsewhere."""
    (x,) = n.inputs
    axes = Axes(n)
    place = b.text.place(axes.shape, axes.index)
    begin = [v if a in axes.kept else "0" for a, v in enumerate(axes.index)]
    if not axes.shape:
        b.put(n, "", "1")
        return
    with b.text.scope(*axes.of(axes.kept)):
        b.text.add(f"size_t first = {b.text.place(axes.shape, begin)};")
        found, best = b.element(x, place), b.element(x, "first")
        with b.text.loops(*axes.of(axes.joined)):
            b.text.add(
                f"if ({found} > {best} || ({found} != {found} && {best} == {best}))",
                f"    first = {place};",
            )
        with b.text.loops(*axes.of(axes.joined)):
            b.put(n, place, f"first == {place} ? 1 : 0")


def write_squared_norm(b: Body, n: Node) -> None:
    """The sum of all squares."""
    (x,) = n.inputs
    if not x.type.rank:
        element = b.element(x, "")
        b.put(n, "", f"{element} * {element}")
        return
    b.put(n, "", rounded(n, _squares(b, x, "1")))


def write_clip_factor(b: Body, n: Node) -> None:
    """The factor that keeps the norm of all inputs to a limit."""
    op: Any = n.op
    b.define(n)
    with b.text.scope((), ()):
        b.text.add("double squares = 0, shrunk = 0;")
        for x in n.inputs:
            b.text.add(f"squares += {_squares(b, x, '1')};")
        with b.text.block("if (!(squares < (double)INFINITY))"):
            for x in n.inputs:
                b.text.add(f"shrunk += {_squares(b, x, _SHRUNK)};")
        factor = f"{b.helper('clip_factor', n.type)}({literal(op.limit, 'f64')}, squares, shrunk)"
        b.put(n, "", rounded(n, factor))


def write_batch_variance(b: Body, n: Node) -> None:
    """The mean square of each column; of fewer than two rows it is refused."""
    (c,) = n.inputs
    rows, columns = (b.text.size(d) for d in c.type.shape)
    if isinstance(c.type.shape[0], str) or c.type.shape[0] < 2:
        b.refuse(f"{rows} < 2", "SIZE")
    with b.text.block(b.text.head("i", columns)):
        b.text.add("double total = 0;")
        with b.text.block(b.text.head("j", rows)):
            element = widened(c, b.element(c, f"j * {columns} + i"))
            b.text.add(f"total += {element} * {element};")
        b.put(n, "i", rounded(n, f"total / (double){rows}"))


def _squares(b: Body, x: Node, scale: str) -> str:
    """The sum of the squares of an input times a scale, in double."""
    if not x.type.rank:
        element = f"({scale} * {widened(x, b.element(x, ''))})"
        return f"{element} * {element}"
    return f"{b.helper('squares', x.type)}({b.text.count(x.type.shape)}, {b.array(x)}, {scale})"


def widened(n: Node, element: str) -> str:
    """An element as a double."""
    return element if n.type.dtype == "f64" else f"(double){element}"


def rounded(n: Node, text: str) -> str:
    """A double in the dtype of a result."""
    if n.type.dtype == "f64":
        return text
    return f"(float){text}" if _ONE.fullmatch(text) else f"(float)({text})"
