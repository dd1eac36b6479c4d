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

    Forward is what an output that is no gradient is made from. Of the rest, backward is what a
    gradient is made from, such as a dropout mask that is drawn again from the step counter;
    update is what else reads state or other updates, or is what an update writes.
    """
    gradients = {f"{g.names[p]}.grad" for p in g.trained}
    forward = [n for key, n in g.outputs.items() if key not in gradients]
    role = dict.fromkeys(_made_from(forward), "forward")
    towards = _made_from([g.named[name] for name in gradients if name in g.named])
    written = set(g.updates.values())
    for n in g.nodes:
        if isinstance(n.op, Source):
            role[n] = n.op.name
        elif n not in role:
            reads = any(isinstance(i.op, State) or role[i] == "update" for i in n.inputs)
            updating = n in written or (reads and n not in towards)
            role[n] = "update" if updating else "backward"
    return role


def _made_from(stack: list[Node]) -> dict[Node, None]:
    """These nodes and all that they are made from, sources apart."""
    reached: dict[Node, None] = {}
    while stack:
        n = stack.pop()
        if n not in reached and not isinstance(n.op, Source):
            reached[n] = None
            stack += n.inputs
    return reached
