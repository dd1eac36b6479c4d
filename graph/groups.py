"""Kernel groups: which nodes share a call, over which elements, and what stays inside of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .node import Node
from .types import Shape

if TYPE_CHECKING:
    from .graph import Graph, Schedule

Nodes = tuple[Node, ...]


def kernel_groups(s: Schedule) -> list[Nodes]:
    """The nodes of each kernel call, in the order of the calls."""
    calls: dict[int, list[Node]] = {}
    for n in s.order:
        calls.setdefault(s.groups[n], []).append(n)
    return [tuple(calls[k]) for k in sorted(calls)]


def domain(group: Sequence[Node]) -> Shape | None:
    """The shape that all of a group's results have, where each element is computed by itself.

    Such a group can run tile by tile, and what its nodes hand to each other need not be kept.
    None where an op is not elementwise or not `straight`, or a result has another shape.
    """
    shape = group[0].type.shape
    for n in group:
        if not (n.op.elementwise and n.op.straight) or n.type.shape != shape:
            return None
    return shape


def lanes(group: Sequence[Node]) -> list[Nodes] | None:
    """The lanes of a group that can run tile by tile: the same computation, element by element,
    for several parameters; one for most groups. None for a group that cannot.
    """
    shape = domain(group)
    if len(group) == 1 or shape == ():
        return None if shape is None else [tuple(group)]
    if shape is None and any(domain([n]) is None for n in group):
        return None
    parts = _apart(group)
    ops = [n.op for n in parts[0]]
    if any([n.op for n in part] != ops for part in parts[1:]):
        return None
    if shape is None and any(domain(part) is None for part in parts):
        return None
    return parts


def inside(g: Graph, group: Sequence[Node]) -> frozenset[Node]:
    """The nodes of a tiled group that nothing else reads, which have no place in the arena."""
    if len(group) == 1 or lanes(group) is None:
        return frozenset()
    mine = set(group)
    return frozenset([n for n in group if n not in g.roots and all(u in mine for u in g.users[n])])


def _apart(group: Sequence[Node]) -> list[Nodes]:
    """The parts of a group that share no tensor."""
    linked: dict[
        Node, Node
    ] = {}  # each to another of its part, and so on to one that stands for it

    def first(x: Node) -> Node:
        while linked[x] is not x:
            linked[x] = linked[linked[x]]
            x = linked[x]
        return x

    for n in group:
        linked.setdefault(n, n)
        for i in n.inputs:
            if i.type.rank:
                linked[first(linked.setdefault(i, i))] = first(n)
    parts: dict[Node, list[Node]] = {}
    for n in group:
        parts.setdefault(first(n), []).append(n)
    return [tuple(part) for part in parts.values()]


def holder(s: Schedule, n: Node) -> Node:
    """Whose place a result lies in, by its take-overs: itself, another result or a source."""
    while n in s.takeovers:
        n = s.takeovers[n]
    return n
