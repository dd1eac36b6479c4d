"""Decides in which order nodes run, and whose buffer a result takes over."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from ..graph import Graph, Node, Schedule, Source
from ..ops import copy
from .base import Pass
from .order import fewest_bytes

_ASSUMED_SIZE: Final = 128
"""What a symbol counts as where the order weighs bytes; any size gives a legal order."""


@dataclass(frozen=True)
class ScheduleBuffers(Pass):
    """Gives the graph an order, kernel groups and take-overs, the same for every batch size.

    Before:

        graph net {
          %x: f32[N] = input
          %w: f32[] = parameter{init=zeros}
          %a: f32[N] = exp(%x)
          %b: f32[N] = multiply(%a, %w)
          return y=%b
        }

    After:

        graph net {
          %x: f32[N] = input
          %w: f32[] = parameter{init=zeros}
          %a: f32[N] = exp(%x)  // group 0
          %b: f32[N] = multiply(%a, %w)  // group 1, takes over %a
          return y=%b
        }

    All that a step computes comes before the first write to state, so that a step that fails
    leaves the state as it was. A result takes over an input that its op declares `inplace`, that
    nothing reads later and that is not returned; an update takes over what it updates. Last,
    since every rewrite makes a new graph without a schedule. With `sizes`, such as {"N": 128}, the
    order is the best of several for them, which takes longer; it is legal for any.
    """

    name: ClassVar[str] = "schedule"
    gives: ClassVar[tuple[str, ...]] = ("scheduled",)
    sizes: Mapping[str, int] | None = None

    def apply(self, g: Graph) -> Graph:
        g = _copy_sources_that_change(g)
        writes = _state_writes(g)
        late = _readers_of(g, writes)
        early = [n for n in g.order if n not in late]
        order = _by_bytes(early, g)
        if self.sizes is not None:
            order = fewest_bytes(g, early, self.sizes, also=[order])
        order += [n for n in g.order if n in late]
        takeovers = dict(writes)
        takeovers.update(_takeovers(g, order, set(writes)))
        groups = {n: i for i, n in enumerate(order)}
        ordered = {n: takeovers[n] for n in order if n in takeovers}
        return g.but(schedule=Schedule(tuple(order), groups, ordered))


def _copy_sources_that_change(g: Graph) -> Graph:
    """Sources that are returned or written elsewhere, and change, are copied before they do."""

    def changes(n: Node) -> bool:
        return isinstance(n.op, Source) and n in g.updates

    if not any(map(changes, g.roots)):
        return g
    copies = {n: copy(n) for n in g.roots if changes(n)}
    outputs = {k: copies.get(n, n) for k, n in g.outputs.items()}
    updates = {w: n if n is w else copies.get(n, n) for w, n in g.updates.items()}
    return g.but(outputs=outputs, updates={w: n for w, n in updates.items() if n is not w})


def _state_writes(g: Graph) -> dict[Node, Node]:
    """Updates that may be computed in the place of what they update.

    Not where another node reads the old value later in the graph's order, nor where one value
    updates two sources: it can lie in one place only.
    """
    place = {n: i for i, n in enumerate(g.order)}
    writes: dict[Node, Node] = {}
    for w, n in g.updates.items():
        declared = any(k < len(n.inputs) and n.inputs[k] is w for k in n.op.inplace)
        if declared and n not in writes:
            writes[n] = w
    late = _readers_of(g, writes)
    return {
        n: w
        for n, w in writes.items()
        if all(u is n or u not in late or place[u] < place[n] for u in g.users[w])
    }


def _readers_of(g: Graph, nodes: Mapping[Node, Node]) -> set[Node]:
    """The nodes, and all that is computed from them."""
    found = set(nodes)
    for n in g.order:
        if any(i in found for i in n.inputs):
            found.add(n)
    return found


def _by_bytes(nodes: Sequence[Node], g: Graph) -> list[Node]:
    """A legal order that keeps few bytes alive, built from its end.

    Going backwards, a node ends the life of its result and begins that of its inputs: each time
    the node is taken that leaves the fewest bytes alive before it, so what is needed late is
    made late. Of equals, the later in the graph's order comes later.
    """
    here = set(nodes)
    place = {n: i for i, n in enumerate(nodes)}
    size = {n: n.type.nbytes(dict.fromkeys(n.type.symbols, _ASSUMED_SIZE)) for n in g.nodes}
    waiting = {n: sum(1 for u in g.users[n] if u in here) for n in nodes}
    needed_after = {i for n in g.order if n not in here for i in n.inputs}
    alive = {n for n in nodes if n in g.roots or n in needed_after}
    weights: dict[Node, int] = {}
    heap: list[tuple[int, int, Node]] = []

    def push(n: Node) -> None:
        begun = sum(size[i] for i in set(n.inputs) if i in here and i not in alive)
        weight = begun - (size[n] if n in alive else 0)
        if weights.get(n) != weight:
            weights[n] = weight
            heapq.heappush(heap, (weight, -place[n], n))

    for n in nodes:
        if not waiting[n]:
            push(n)
    order: list[Node] = []
    while heap:
        weight, _, n = heapq.heappop(heap)
        if weights.get(n) != weight:
            continue  # an entry from before its inputs came alive
        del weights[n]
        order.append(n)
        alive.discard(n)
        for i in dict.fromkeys(n.inputs):
            if i not in here:
                continue
            if i not in alive:
                alive.add(i)
                for u in g.users[i]:
                    if u in weights:
                        push(u)
            waiting[i] -= 1
            if not waiting[i]:
                push(i)
    return order[::-1]


def _takeovers(g: Graph, order: Sequence[Node], taken: set[Node]) -> dict[Node, Node]:
    """For each node whose op allows it, the input that nothing else still needs."""
    place = {n: i for i, n in enumerate(order)}
    last = {n: max((place[u] for u in g.users[n]), default=-1) for n in order}
    given: set[Node] = set()
    found: dict[Node, Node] = {}
    for n in order:
        if n in taken:
            continue
        for k in n.op.inplace:
            x = n.inputs[k] if k < len(n.inputs) else None
            if x is None or x not in last or x in g.roots or x in given or x.type != n.type:
                continue
            if last[x] == place[n]:
                found[n] = x
                given.add(x)
                break
    return found
