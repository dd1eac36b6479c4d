"""Decides in which order nodes run, and whose buffer a result takes over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ...graph import (
    Constant,
    Graph,
    Node,
    Parameter,
    Schedule,
    Source,
    State,
    readers_of,
    whole_symbols,
)
from ...ops import copy
from ..base import ASSUMED, Pass
from .grouping import kernel_calls, packs
from .order import fewest_bytes, timely


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
          %b: f32[N] = multiply(%a, %w)  // group 0
          return y=%b
        }

    All that a step computes comes before the first write to state, so that a step that fails
    leaves the state as it was; what no step changes comes first, and is computed once.
    Elementwise results of one shape that feed each other share a group, and run tile by tile; so
    do equal computations for several parameters, whose tensors are packed. A result takes over an
    input that its op declares `inplace`, that nothing reads later and that is not returned; an
    update takes over what it updates. Last, since every rewrite makes a new graph without a
    schedule. Where `parameters_change` is false, as in inference, what depends on them alone is
    computed once for as long as they stay. The order is the best of several for
    {"N": 128}; it is legal for any. With `sizes` it is the best for them, and nothing is packed,
    which leaves more room for other results. Without `in_place`, a product that an update adds has
    a place of its own, as it needs its factors no longer than until it is made.
    """

    name: ClassVar[str] = "schedule"
    gives: ClassVar[tuple[str, ...]] = ("scheduled",)
    sizes: Mapping[str, int] | None = None
    parameters_change: bool = True
    in_place: bool = True

    def apply(self, g: Graph) -> Graph:
        g = _copy_sources_that_change(g)
        writes = _state_writes(g, self.in_place)
        late = readers_of(g.order, writes)
        once = _unchanging(g, fixed=not (self.parameters_change or g.updates))
        early = [n for n in g.order if n not in late and n not in once]
        symbols = whole_symbols(s for n in g.nodes for s in n.type.symbols)
        sizes = self.sizes or dict.fromkeys(symbols, ASSUMED)
        order = timely(fewest_bytes(g, early, sizes))
        phases = (
            [n for n in g.order if n in once],
            order,
            [n for n in g.order if n in late],
        )
        groups = kernel_calls(g, phases, writes, lanes=self.sizes is None)
        order = [n for group in groups for n in group]
        numbers = {n: k for k, group in enumerate(groups) for n in group}
        takeovers = dict(writes)
        takeovers.update(_takeovers(g, order, numbers, once, set(writes)))
        ordered = {n: takeovers[n] for n in order if n in takeovers}
        schedule = Schedule(tuple(order), numbers, ordered, once=once)
        return g.but(schedule=schedule.but(packs=packs(g, schedule, groups)))


def _unchanging(g: Graph, fixed: bool) -> frozenset[Node]:
    """What no feed changes, and no parameter; where parameters are `fixed`, results that depend on
    them too, unless they grow with the batch."""
    unchanging: set[Node] = set()
    of_parameters: set[Node] = set()
    for n in g.order:
        varying = [i for i in n.inputs if i not in unchanging and not isinstance(i.op, Constant)]
        if varying and not (fixed and all(isinstance(i.op, (Parameter, State)) for i in varying)):
            continue
        if varying or of_parameters.intersection(n.inputs):
            if n.type.symbols:
                continue
            of_parameters.add(n)
        unchanging.add(n)
    return frozenset(unchanging)


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


def _state_writes(g: Graph, products: bool) -> dict[Node, Node]:
    """Updates that may be computed in the place of what they update, and what each takes over.

    An update may be several ops, each in the place of the one before. Not where another node reads
    the old value later in the graph's order, nor where one value updates two sources: it can lie
    in one place only; nor, unless it is asked for, with `products`.
    """
    place = {n: i for i, n in enumerate(g.order)}
    chains: dict[Node, dict[Node, Node]] = {}
    taken: set[Node] = set()
    for w, n in g.updates.items():
        chain = _chain(g, w, n)
        asked = products or not any(n.op.matrix_product for n in chain)
        if chain and asked and taken.isdisjoint(chain):
            chains[w] = chain
            taken.update(chain)
    late = readers_of(g.order, taken)
    writes: dict[Node, Node] = {}
    for w, chain in chains.items():
        first = next(n for n, old in chain.items() if old is w)
        if all(u is first or u not in late or place[u] < place[first] for u in g.users[w]):
            writes.update(chain)
    return writes


def _chain(g: Graph, w: Node, new: Node) -> dict[Node, Node]:
    """The ops that make `new` in the place of `w`, and what each takes over; none where they
    cannot."""
    chain: dict[Node, Node] = {}
    n: Node | None = new
    while n is not None:
        if w in n.reusable:
            return {**chain, n: w}
        own = [i for i in n.reusable if i.inputs and g.users[i] == (n,) and i not in g.roots]
        before = next((i for i in own if i.type == w.type and not i.op.elementwise), None)
        if before is not None:
            chain[n] = before
        n = before
    return {}


def _takeovers(
    g: Graph,
    order: Sequence[Node],
    group: Mapping[Node, int],
    once: frozenset[Node],
    taken: set[Node],
) -> dict[Node, Node]:
    """For each node whose op allows it, the input that nothing else still needs.

    Not one of its own group, which is there only as long as the call lasts.
    """
    last = {x: n for n in order for x in n.inputs}  # the last reader of each
    consumed: set[Node] = set()
    takeovers: dict[Node, Node] = {}
    for n in order:
        if n in taken:
            continue
        for x in n.reusable:
            if isinstance(x.op, Source) or x in g.roots or x in consumed or x.type != n.type:
                continue
            if group[x] == group[n] or (x in once and n not in once):
                continue
            if last[x] is n:
                takeovers[n] = x
                consumed.add(x)
                break
    return takeovers
