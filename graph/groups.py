"""Kernel groups: which nodes share a call, over which elements, and what stays inside of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .node import Node
from .sources import Input
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
    None where an op is not elementwise or not `traceable`, or a result has another shape.
    """
    shape = group[0].type.shape
    for n in group:
        if not (n.op.elementwise and n.op.traceable) or n.type.shape != shape:
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
    if shape is None and any(domain(part) is None for part in parts):
        return None
    first = computation(parts[0])
    alike = len(parts) == 1 or (
        first is not None and all(computation(part) == first for part in parts)
    )
    return parts if alike else None


def inside(g: Graph, group: Sequence[Node]) -> frozenset[Node]:
    """The nodes of a tiled group that nothing else reads, which have no place in the arena: in
    each lane the same ones.
    """
    rows = None if len(group) == 1 else lanes(group)
    if rows is None:
        return frozenset()
    mine = set(group)

    def alone(n: Node) -> bool:
        return n not in g.roots and all(u in mine for u in g.users[n])

    columns = zip(*rows, strict=True)
    return frozenset([n for column in columns if all(map(alone, column)) for n in column])


def computation(part: Nodes) -> list[object] | None:
    """What a lane computes, but for the tensors that it is computed for; None where it must run
    by itself: it broadcasts a tensor, or reads a feed, which lies elsewhere at each step."""
    place = {n: i for i, n in enumerate(part)}
    slots: dict[Node, int] = {}
    said: list[object] = []
    for n in part:
        said += [n.op, n.type.dtype]
        for i in n.inputs:
            if i in place:
                said.append(("result", place[i]))
            elif not i.type.rank:
                said.append(i)
            elif i.type.shape != n.type.shape or isinstance(i.op, Input):
                return None
            else:
                said.append((i.type.dtype, slots.setdefault(i, len(slots))))
    return said


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
