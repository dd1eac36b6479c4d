"""Kernel groups: which nodes share a kernel call, over which elements, and what stays inside it.

A schedule gives each node the number of its group. A group of elementwise ops on one shape runs
*tile by tile*: all its ops on the first few thousand elements, then on the next, so that what one
op hands to another stays in the cache and needs no buffer of full size.

Such a group may hold the same computation for several parameters. An Adam update of fc1.weight
[64,32] and fc1.bias [32] is one group with two *lanes*, the nodes for the weight and those for
the bias. If each lane's tensors lie in memory one after another, all lanes run as one flat call.
"""

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
    """The one shape of all the results of a group that can run tile by tile.

    None where an op is not elementwise or not `traceable` (see `Op`), or a result has another
    shape. In a group of several lanes each lane may have a domain where the whole has none.
    """
    shape = group[0].type.shape
    for n in group:
        if not (n.op.elementwise and n.op.traceable) or n.type.shape != shape:
            return None
    return shape


def lanes(group: Sequence[Node]) -> list[Nodes] | None:
    """The lanes of a group, in the order of the first node of each; one lane for most groups.

    None for a group that cannot run tile by tile: an op that is not elementwise, or parts that
    share no tensor and do not all make the same computation.
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
    """The nodes of a tiled group that only the group reads, and that so get no buffer in the arena.

    A node counts only where its counterparts in all other lanes are inside, too: the lanes run as
    one. Empty for a group of one node, and for one that does not run tile by tile.
    """
    rows = None if len(group) == 1 else lanes(group)
    return frozenset() if rows is None else inside_lanes(g, rows)


def inside_lanes(g: Graph, rows: Sequence[Nodes]) -> frozenset[Node]:
    """The same of a group whose lanes are known."""
    mine = {n for row in rows for n in row}
    if len(mine) == 1:
        return frozenset()

    def alone(n: Node) -> bool:
        return n not in g.roots and all(u in mine for u in g.users[n])

    columns = zip(*rows, strict=True)
    return frozenset([n for column in columns if all(map(alone, column)) for n in column])


def computation(part: Nodes) -> list[object] | None:
    """What a lane computes, whatever tensors it computes it for: equal lists, equal computations.

    The list has, for each node, its op and dtype, and for each input either ("result", its place in
    the lane), a scalar node itself, or (dtype, number), where the tensors that the lane reads are
    numbered as they come. None where the lane must run by itself, as it broadcasts a tensor or
    reads an input, whose array is another at each step.
    """
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
    """The parts of a group that share no tensor, found by union-find over nodes and inputs."""
    # Each to another node of its part, and so on to the one that stands for the part.
    linked: dict[Node, Node] = {}

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
    """The node whose buffer n lies in: n itself, or the first of the chain of results, or the
    source, that n takes over (for %w.1, which updates %w in its place, that is %w)."""
    while n in s.takeovers:
        n = s.takeovers[n]
    return n
