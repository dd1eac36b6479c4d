"""What gradients of a differentiated graph are called: `NAME.grad`, and `.clipped` behind it."""

from __future__ import annotations

from collections.abc import Mapping

from ..graph import Graph, Node, roles


def named_gradients(g: Graph) -> Mapping[str, Node]:
    """The gradients for a graph's parameters, clipped and not, where they have nodes of their own;
    each by what it is. A node of the user's that is called so is none."""
    found: dict[str, Node] = {}
    role = roles(g)
    for p in g.parameters:
        name = g.names[p]
        for what, suffix in (("gradient", ".grad"), ("clipped gradient", ".grad.clipped")):
            n = g.named.get(name + suffix)
            if n is not None and n.type == p.type and role[n] == "backward":
                found[f"the {what} for {name}"] = n
    return found
