"""Which part of training a node belongs to: forward, backward, update, or a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .op import Source
from .sources import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .graph import Graph
    from .node import Node


def roles(g: Graph) -> Mapping[Node, str]:
    """`input`, `parameter`, `state`, `constant`, or `forward`, `backward`, `update`.

    Forward is what an output that is no gradient is made from. Of the rest, update is what
    reads state or other updates, or is what an update writes; backward is all else.
    """
    role: dict[Node, str] = {}
    gradients = {f"{g.names[p]}.grad" for p in g.parameters}
    stack = [n for key, n in g.outputs.items() if key not in gradients]
    while stack:
        n = stack.pop()
        if n not in role and not isinstance(n.op, Source):
            role[n] = "forward"
            stack += n.inputs
    written = set(g.updates.values())
    for n in g.nodes:
        if isinstance(n.op, Source):
            role[n] = n.op.name
        elif n not in role:
            updating = n in written or any(
                isinstance(i.op, State) or role[i] == "update" for i in n.inputs
            )
            role[n] = "update" if updating else "backward"
    return role
