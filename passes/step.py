"""The step counter: the i64 state that counts updates from 0."""

from __future__ import annotations

from ..graph import Graph, GraphError, Node, State, state


def step_counter(g: Graph) -> Node:
    """The graph's own step counter, or a new one; no other source may have its name."""
    for n in g.sources:
        if g.names[n] == "step":
            if not isinstance(n.op, State) or str(n.type) != "i64[]":
                raise GraphError(
                    f"the {n.op.name} %step ({n.type}) has the name of the step counter; rename it"
                )
            return n
    return state("step", (), dtype="i64")
