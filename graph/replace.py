"""The one edit of a graph: replacing nodes, all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .errors import GraphError
from .node import Node
from .op import Source
from .walk import depth_first

NodeSet = frozenset[Node]
_NOTHING: NodeSet = frozenset()


def rebuild(
    nodes: Sequence[Node], mapping: Mapping[Node, Node], roots: Sequence[Node]
) -> list[Node]:
    """The roots with every node of `mapping` replaced; `nodes` is the graph, inputs first.

    What a node becomes depends on whose replacements it is read in (`inside`), since a node stays
    inside its own. Above a node's own place in the order a replacement cannot meet it again, so
    `inside` is cut to what can still matter, which keeps the work linear. What no replacement
    reaches stays as it is.
    """
    place = {n: 0 if isinstance(n.op, Source) else i for i, n in enumerate(nodes, 1)}
    reach = _reach(place, mapping.values())
    forward_only = all(reach[new] <= place.get(old, -1) for old, new in mapping.items())
    changes = _changes(nodes, mapping)
    rebuilt: dict[tuple[Node, NodeSet], Node] = {
        (n, _NOTHING): n for n in nodes if n not in changes
    }
    open_: set[tuple[Node, NodeSet]] = set()

    def needed(n: Node, inside: NodeSet) -> NodeSet:
        if not inside or (n in place and n not in changes):
            return _NOTHING
        if not forward_only:
            return inside
        top = reach[n]
        return (
            inside
            if all(place[h] <= top for h in inside)
            else NodeSet(h for h in inside if place[h] <= top)
        )

    def enter(n: Node, inside: NodeSet) -> tuple[Node, NodeSet]:
        """Where to go on for `n`: into its replacement, unless it is read in its own."""
        while n in mapping and n not in inside and mapping[n] is not n:
            inside = needed(mapping[n], inside | {n})
            n = mapping[n]
        return n, needed(n, inside)

    for root in roots:
        stack = [enter(root, _NOTHING)]
        while stack:
            key = stack[-1]
            n, inside = key
            if key in rebuilt:
                stack.pop()
                continue
            wanted = [enter(i, inside) for i in n.inputs]
            for k in n.op.refers_to:
                i = n.inputs[k]
                if i in mapping and i in depth_first([mapping[i]]):
                    wanted[k] = enter(i, inside | {i})
            missing = [k for k in wanted if k not in rebuilt]
            if missing:
                if key in open_:
                    raise GraphError(f"the replacements make {n!r} depend on itself")
                open_.add(key)
                stack += reversed(missing)
                continue
            open_.discard(key)
            stack.pop()
            inputs = tuple([rebuilt[k] for k in wanted])
            rebuilt[key] = n if inputs == n.inputs else n.but(inputs=inputs)
    return [rebuilt[enter(root, _NOTHING)] for root in roots]


def _changes(nodes: Iterable[Node], mapping: Mapping[Node, Node]) -> set[Node]:
    """What is replaced, and all that reads it; `nodes` are a graph's, inputs first."""
    changes = set(mapping)
    for n in nodes:
        if not changes.isdisjoint(n.inputs):
            changes.add(n)
    return changes


def _reach(place: Mapping[Node, int], new: Iterable[Node]) -> dict[Node, int]:
    """The latest place in the graph that each node reads, itself included."""
    reach = dict(place)
    for root in new:
        stack = [root]
        while stack:
            n = stack[-1]
            if n in reach:
                stack.pop()
                continue
            missing = [i for i in n.inputs if i not in reach]
            if missing:
                stack += missing
            else:
                reach[n] = max((reach[i] for i in n.inputs), default=0)
                stack.pop()
    return reach
