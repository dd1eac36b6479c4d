"""A graph shown by its nodes, or by its kernel calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..membership import loss_part
from ..op import Source
from ..roles import roles
from .folding import is_bookkeeping, is_folded, seen_inputs
from .labels import bytes_text, label, shortened, tooltip
from .options import Options
from .view import COLUMNS, Edge, Item, View

if TYPE_CHECKING:
    from ..graph import Graph
    from ..node import Node


def columns(g: Graph, role: Mapping[Node, str], parts: Sequence[str] = COLUMNS) -> dict[Node, str]:
    """forward, backward or update: a node's role; a source stands with its first readers that are
    shown, and what nothing reads with the first of all."""
    found: dict[Node, str] = {}
    for n in g.nodes:
        if isinstance(n.op, Source):
            readers = {role[u] for u in g.users[n]}
            shown = [c for c in COLUMNS if c in readers]
            found[n] = next((c for c in shown if c in parts), shown[0] if shown else parts[0])
        else:
            found[n] = role[n]
    return found


class Seen:
    """The nodes that a picture shows of a graph, with the column of each."""

    def __init__(self, g: Graph, options: Options) -> None:
        self.g = g
        self.roles = roles(g)
        fold = is_folded if options.bookkeeping else is_bookkeeping
        hidden = {n for n in g.nodes if fold(g, n)}
        self.column = columns(g, self.roles, options.parts)
        self.nodes = [n for n in g.nodes if n not in hidden and self.column[n] in options.parts]
        there = set(self.nodes)
        self.reads = {
            n: [(k, i) for k, i in seen_inputs(n, hidden.__contains__) if i in there]
            for n in self.nodes
        }
        self.parts = [p for p in dict.fromkeys([*g.layers, loss_part(g)]) if self._has(p)]
        self.calls: Mapping[Node, int] = g.schedule.groups if g.schedule is not None else {}
        self.taken: Mapping[Node, Node] = g.schedule.takeovers if g.schedule is not None else {}

    def _has(self, part: str) -> bool:
        return any(self.g.membership.get(n) == part for n in self.nodes)

    def updates(self) -> list[Edge]:
        """From each new value that is shown to what it is written to."""
        names, there = self.g.names, set(self.nodes)
        return [
            Edge(names[v], names[w], f"update {names[w]} = {names[v]}", writes=True)
            for w, v in self.g.updates.items()
            if v in there and w in there
        ]

    def notes(self) -> list[str]:
        """What the edges and numbers of the picture mean."""
        notes = []
        if self.updates():
            notes.append("dashed: the new value of what it points to")
        if self.calls:
            notes.append("#7: the kernel call that computes it, with all in one dashed box")
        if self.taken:
            notes.append("dot at the tail: the result takes over this buffer")
        return notes


def nodes_view(seen: Seen, options: Options) -> View:
    """One item a node; those of one kernel call stand in a box of their own."""
    g, names = seen.g, seen.g.names
    together: dict[tuple[object, ...], int] = {}
    for n in seen.nodes:
        if n in seen.calls:
            cell = (seen.calls[n], g.membership.get(n), seen.column[n])
            together[cell] = together.get(cell, 0) + 1
    items = []
    for n in seen.nodes:
        part, column, call = g.membership.get(n), seen.column[n], seen.calls.get(n)
        shared = together.get((call, part, column), 0) > 1
        items.append(
            Item(
                names[n], seen.roles[n], label(g, n, options.sizes, options.types), tooltip(g, n),
                column, part, f"kernel call {call}" if shared else None,
                fused=n.op.fused, output=n in g.outputs.values(),
            )
        )  # fmt: skip
    edges = [
        Edge(
            names[i], names[n], f"{names[i]} → {names[n]}, operand {slot}",
            taken=seen.taken.get(n) is i,
        )
        for n in seen.nodes
        for slot, i in seen.reads[n]
    ]  # fmt: skip
    return View(g.name, items, [*edges, *seen.updates()], seen.parts, seen.notes())


def kernels_view(seen: Seen, options: Options) -> View:
    """One item a kernel call, and one a source that a call reads."""
    g, names = seen.g, seen.g.names
    calls: dict[object, list[Node]] = {}
    for n in seen.nodes:
        calls.setdefault(seen.calls.get(n, n), []).append(n)
    key = {
        n: f"kernel call {call}" if n in seen.calls else names[n]
        for call, nodes in calls.items()
        for n in nodes
    }
    items = []
    for call, nodes in calls.items():
        last = nodes[-1]
        text = label(g, last, options.sizes, options.types)
        if last in seen.calls:
            ops = shortened(", ".join(dict.fromkeys(n.op.name for n in nodes)))
            kept = [n for n in nodes if n in g.roots or set(g.users[n]) - set(nodes)]
            results = [f"{n.type} · {bytes_text(n.type, options.sizes)}" for n in kept]
            more = [f"and {len(results) - 1} more"] if len(results) > 1 else []
            shown = [*results[:1], *more] if options.types else []
            text = "\n".join([f"#{call} {names[last]}", ops, *shown])
        items.append(
            Item(
                key[last], seen.roles[last], text, "\n".join(tooltip(g, n) for n in nodes),
                seen.column[last], g.membership.get(last),
                fused=len(nodes) > 1 or last.op.fused,
                output=any(n in g.outputs.values() for n in nodes),
            )
        )  # fmt: skip
    pairs = {(key[i], key[n]): (i, n) for n in seen.nodes for _, i in seen.reads[n]}
    edges = [
        Edge(tail, head, f"{names[i]} → {names[n]}")
        for (tail, head), (i, n) in pairs.items()
        if tail != head
    ]
    written = {(key[g.named[e.tail]], key[g.named[e.head]]): e.tooltip for e in seen.updates()}
    edges += [Edge(tail, head, text, writes=True) for (tail, head), text in written.items()]
    notes = [note for note in seen.notes() if "tail" not in note]
    return View(g.name, items, edges, seen.parts, notes)
