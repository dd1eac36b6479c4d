"""What a picture leaves out unless asked for it, and what then stands in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..op import Source
from ..sources import Constant

if TYPE_CHECKING:
    from ..graph import Graph
    from ..node import Node

_SIZES: Final = ("dim",)
_SAME: Final = ("cast",)


def is_folded(g: Graph, n: Node) -> bool:
    """Whether a scalar constant stands in its readers' labels, not as a node of its own."""
    return isinstance(n.op, Constant) and n.type.rank == 0 and n not in g.roots


def is_bookkeeping(g: Graph, n: Node) -> bool:
    """Whether a node is no part of what the net does: a size, a cast, arithmetic of scalars.

    What is returned, or written to parameters and state, is never bookkeeping.
    """
    if n in g.roots or isinstance(n.op, Source):
        return is_folded(g, n)
    if n.op.name in (*_SIZES, *_SAME):
        return True
    return n.op.elementwise and n.type.rank == 0 and not any(i.type.rank for i in n.inputs)


def seen_inputs(n: Node, is_hidden: Callable[[Node], bool]) -> list[tuple[int, Node]]:
    """The slots and shown nodes that n reads, also through hidden ones; no tensor for its size."""
    found: dict[tuple[int, Node], None] = {}
    stack = list(reversed(list(enumerate(n.inputs))))
    while stack:
        slot, i = stack.pop()
        if not is_hidden(i):
            found[slot, i] = None
        elif i.op.name not in _SIZES:
            stack += [(slot, j) for j in reversed(i.inputs)]
    return list(found)
