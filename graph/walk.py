"""The order in which nodes depend on each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .errors import GraphError

if TYPE_CHECKING:
    from .node import Node


def depth_first(roots: Iterable[Node]) -> list[Node]:
    """Every node below the roots, inputs before their readers; raises GraphError on a cycle."""
    done: dict[Node, bool] = {}  # False while its inputs are being visited
    order: list[Node] = []
    for root in roots:
        stack = [root]
        while stack:
            n = stack[-1]
            if n not in done:
                done[n] = False
                for i in reversed(n.inputs):
                    if done.get(i) is False:
                        raise GraphError(f"cycle: {n!r} reads {i!r}, which is made from it")
                    if i not in done:
                        stack.append(i)
            else:
                stack.pop()
                if not done[n]:
                    done[n] = True
                    order.append(n)
    return order


def readers_of(order: Sequence[Node], nodes: Iterable[Node]) -> set[Node]:
    """The nodes, and all that is computed from them; `order` has inputs before their readers."""
    readers = set(nodes)
    for n in order:
        if not readers.isdisjoint(n.inputs):
            readers.add(n)
    return readers
