"""A difference of two graphs as a picture: what changed, and what it stands between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .folding import is_folded
from .nodes import Seen, nodes_view
from .options import Options
from .view import Edge, Item, View

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
    was = {twin: n for n, twin in d.twins.items()}
    items: dict[Node, Item] = {}
    edges: dict[tuple[Node, Node], Edge] = {}
    parts: dict[str, None] = {}
    for g, of in ((d.b, lambda n: n), (d.a, lambda n: was.get(n, n))):
        seen = Seen(g, options)
        shown = nodes_view(seen, options)
        parts |= dict.fromkeys(shown.parts)
        for n, item in zip(seen.nodes, shown.items, strict=True):
            if of(n) not in items:
                items[of(n)] = item._replace(key=key[of(n)], mark=d.marks.get(of(n)), call=None)
        for n in g.order:
            for i in n.inputs:
                if is_folded(g, i) or i not in seen.reads or n not in seen.reads:
                    continue
                ends = of(i), of(n)
                if g is d.b:
                    new = n not in d.twins or d.twins.get(i) not in d.twins[n].inputs
                    edges[ends] = Edge(key[ends[0]], key[ends[1]], "", mark="added" if new else None)
                elif ends not in edges:
                    edges[ends] = Edge(key[ends[0]], key[ends[1]], "", mark="removed")
    near = {n for n in items if n in d.marks}
    near |= {end for ends in edges for end in ends if not near.isdisjoint(ends)}
    kept = [item for n, item in items.items() if n in near]
    drawn = [
        e._replace(tooltip=f"{e.tail} → {e.head}")
        for (i, n), e in edges.items()
        if i in near and n in near
    ]
    left = len(items) - len(kept)
    notes = [f"left out: {left} nodes that are the same"] if left else []
    used = {item.part for item in kept}
    return View(d.b.name, kept, drawn, [p for p in parts if p in used], notes)
