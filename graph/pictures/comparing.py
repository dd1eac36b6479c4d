"""A difference of two graphs as a picture: what changed, and what it stands between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .nodes import Seen, nodes_view
from .options import Options
from .view import Edge, Item, Mark, View

if TYPE_CHECKING:
    from ..difference import Difference
    from ..node import Node


def difference_view(d: Difference) -> View:
    """What differs, marked, with all that it reads and all that reads it; the rest is left out.

    Removed nodes stand in the boxes where they stood before.
    """
    options = Options({}, bookkeeping=True)
    key: dict[Node, str] = {n: d.b.names[n] for n in d.b.nodes}
    for n in d.removed:
        taken = d.a.names[n] in d.b.named
        key[n] = f"{d.a.names[n]} before" if taken else d.a.names[n]
    new = {twin: n for n, twin in d.twins.items()}  # the node of b that one of a became
    items: dict[Node, Item] = {}
    edges: dict[tuple[Node, Node], Edge] = {}
    parts: dict[str, None] = {}
    for g in (d.b, d.a):
        seen = Seen(g, options)
        shown = nodes_view(seen, options)
        parts |= dict.fromkeys(shown.parts)
        for n, item in zip(seen.nodes, shown.items, strict=True):
            m = new.get(n, n)
            if m not in items:
                items[m] = item._replace(key=key[m], mark=d.marks.get(m), call=None)
        for n in seen.nodes:
            for _, i in seen.reads[n]:
                ends = new.get(i, i), new.get(n, n)
                if ends not in edges:
                    edges[ends] = _edge(key[ends[0]], key[ends[1]], _mark(d, g is d.b, i, n))
    near = {n for n in items if n in d.marks}
    near |= {end for ends in edges for end in ends if not near.isdisjoint(ends)}
    kept = [item for n, item in items.items() if n in near]
    drawn = [e for ends, e in edges.items() if near.issuperset(ends)]
    left = len(items) - len(kept)
    notes = [f"left out: {left} nodes that are the same"] if left else []
    used = {item.part for item in kept}
    return View(d.b.name, kept, drawn, [p for p in parts if p in used], notes)


def _mark(d: Difference, is_new: bool, i: Node, n: Node) -> Mark | None:
    """How an edge differs that one of the graphs has; those of the new one are seen first."""
    if not is_new:
        return "removed"
    there = n in d.twins and d.twins.get(i) in d.twins[n].inputs
    return None if there else "added"


def _edge(tail: str, head: str, mark: Mark | None) -> Edge:
    return Edge(tail, head, f"{tail} → {head}", mark=mark)
