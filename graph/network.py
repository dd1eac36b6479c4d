"""A graph as networkx sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx as nx

if TYPE_CHECKING:
    from .graph import Graph


def to_networkx(g: Graph) -> nx.MultiDiGraph[str]:
    """Names as keys; `node`, `op` and `type` on each; the operand's `slot` on each edge."""
    view: nx.MultiDiGraph[str] = nx.MultiDiGraph(name=g.name)
    for n, name in g.names.items():
        view.add_node(name, node=n, op=n.op.name, type=str(n.type))
    for n, name in g.names.items():
        for slot, i in enumerate(n.inputs):
            view.add_edge(g.names[i], name, slot=slot)
    return view
