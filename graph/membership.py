"""Which part of a net each node belongs to: a layer, or the loss behind all layers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from .naming import latest, layer_of
from .roles import roles
from .sources import Input, Parameter, State
from .walk import depth_first

if TYPE_CHECKING:
    from .graph import Graph
    from .node import Node

_HELD: Final = (Parameter, State)
_GRADIENT: Final = re.compile(r"\.(?:grad|partial)(?:\.|$)")


def loss_part(g: Graph) -> str:
    """What the part behind all layers is called: as no layer can be, where one is called loss."""
    return "the loss" if "loss" in g.layers else "loss"


def membership(g: Graph) -> Mapping[Node, str]:
    """The layer of each node that has one, and `loss_part(g)` for those of the loss.

    A node belongs to the layer that its name begins with, or else, if it is a forward node, to
    the latest of its operands' layers. What is named after a node, such as its gradient or its
    mask, belongs where that one does.
    """
    role, of_loss, loss = roles(g), loss_nodes(g), loss_part(g)
    found: dict[Node, str] = {}

    def put(n: Node, part: str | None) -> None:
        if part is not None:
            found[n] = part

    forward = [n for n in g.nodes if role[n] in ("forward", "input", "parameter")]
    for n in forward:
        if n in of_loss:
            put(n, loss)
        else:
            reached = latest([found.get(i) for i in n.inputs], g.layers)
            put(n, layer_of(g.names[n], g.layers) or reached)
    for n in g.nodes:
        if n in found:
            continue
        around = {found[i] for i in n.inputs if i in found}
        cotangent = _GRADIENT.split(g.names[n], maxsplit=1)[0]
        if cotangent != g.names[n] and cotangent in g.named:
            put(n, found.get(g.named[cotangent]))
        elif around == {loss} or n in of_loss:
            put(n, loss)
        else:
            put(n, _named_after(g, n, found))
    return found


def _named_after(g: Graph, n: Node, found: Mapping[Node, str]) -> str | None:
    """Where the node or the layer belongs whose name this one's begins with."""
    name = g.names[n]
    while name:
        if name in g.layers:
            return name
        name = name.rpartition(".")[0]
        if name in g.named and g.named[name] in found:
            return found[g.named[name]]
    return None


def loss_nodes(g: Graph) -> frozenset[Node]:
    """What the loss alone is made from, behind the last node that applies parameters to what is
    fed; the labels, which no such node is made from, are part of it, and so are penalties."""
    if g.loss is None:
        return frozenset()
    below = depth_first([g.loss])
    fed = {n for n in below if isinstance(n.op, Input)}
    held = {n for n in below if isinstance(n.op, Parameter)}
    applied = []
    for n in below:
        if not fed.isdisjoint(n.inputs):
            fed.add(n)
            # A scalar that is made of parameters is a penalty, and adding it is no layer.
            if any(i in held and (i.type.rank or not i.inputs) for i in n.inputs):
                applied.append(n)
        elif not held.isdisjoint(n.inputs):
            held.add(n)
    gradients = {f"{g.names[p]}.grad" for p in g.parameters}
    scores = [n for key, n in g.outputs.items() if n.type.rank and key not in gradients]
    kept = set(depth_first([*applied, *scores]))
    return frozenset([n for n in below if n not in kept and not isinstance(n.op, _HELD)])
