"""Orders of a graph's nodes that keep few bytes alive, for one batch size."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence

from ..graph import Graph, Node, Source

Key = tuple[int, ...]
Rule = Callable[[int, int, int], Key]
"""From the bytes that a node adds, when its result came alive and its level: the least goes."""


def _by_bytes(added: int, alive_since: int, level: int) -> Key:
    return (added,)


def _by_chain(added: int, alive_since: int, level: int) -> Key:
    """What adds nothing first; else what came alive last, so that a chain is followed to its end
    before another is begun."""
    return (0, added) if added <= 0 else (1, -alive_since, -level, added)


def _by_level(added: int, alive_since: int, level: int) -> Key:
    """The same, with what depends on the longest chain instead."""
    return (0, added) if added <= 0 else (1, -level, -alive_since, added)


def fewest_bytes(g: Graph, nodes: Sequence[Node], sizes: Mapping[str, int]) -> list[Node]:
    """Of some legal orders of these nodes, the one with the lowest peak."""
    size = {n: n.type.nbytes(sizes) for n in g.nodes}
    level: dict[Node, int] = {}
    for n in g.order:
        level[n] = 1 + max((level.get(i, 0) for i in n.inputs), default=0)
    made = [_backwards(g, nodes, size, level, rule) for rule in (_by_bytes, _by_chain, _by_level)]
    return min(made, key=lambda order: peak(g, order, size))


def peak(g: Graph, order: Sequence[Node], size: Mapping[Node, int]) -> int:
    """The most bytes that are alive at one time, where each result that may be is taken over."""
    place = {n: i for i, n in enumerate(order)}
    last = {n: max((place.get(u, len(order)) for u in g.users[n]), default=-1) for n in order}
    last |= {n: len(order) for n in order if n in g.roots}
    alive = highest = 0
    for at, n in enumerate(order):
        ended = [i for i in dict.fromkeys(n.inputs) if last.get(i) == at]
        taken = any(k < len(n.inputs) and n.inputs[k] in ended for k in n.op.inplace)
        temporary = sum(size[i] for i in ended if i.type == n.type and taken)
        highest = max(highest, alive + size[n] - min(temporary, size[n]))
        alive += (size[n] if last[n] > at else 0) - sum(size[i] for i in ended)
    return highest


def _backwards(
    g: Graph,
    nodes: Sequence[Node],
    size: Mapping[Node, int],
    level: Mapping[Node, int],
    rule: Rule,
) -> list[Node]:
    """A legal order, built from its end: of the nodes whose readers are all placed, the one that
    the rule puts first; of equals, the later in `nodes` comes later.

    Going backwards, a node ends the life of its result and begins that of its inputs, so what is
    needed late is made late.
    """
    here = set(nodes)
    place = {n: i for i, n in enumerate(nodes)}
    waiting = {n: sum(1 for u in g.users[n] if u in here) for n in nodes}
    needed_after = {i for n in g.order if n not in here for i in n.inputs}
    since = {n: 0 for n in nodes if n in g.roots or n in needed_after}
    keys: dict[Node, Key] = {}
    heap: list[tuple[Key, int, Node]] = []

    def push(n: Node) -> None:
        begun = sum(size[i] for i in set(n.inputs) if i in here and i not in since)
        key = rule(begun - (size[n] if n in since else 0), since.get(n, 0), level[n])
        if keys.get(n) != key:
            keys[n] = key
            heapq.heappush(heap, (key, -place[n], n))

    for n in nodes:
        if not waiting[n]:
            push(n)
    order: list[Node] = []
    while heap:
        key, _, n = heapq.heappop(heap)
        if keys.get(n) != key:
            continue  # an entry from before its inputs came alive
        del keys[n]
        order.append(n)
        for i in dict.fromkeys(n.inputs):
            if i not in here or isinstance(i.op, Source):
                continue
            if i not in since:
                since[i] = len(order)
                for u in g.users[i]:
                    if u in keys:
                        push(u)
            waiting[i] -= 1
            if not waiting[i]:
                push(i)
    return order[::-1]
