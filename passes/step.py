"""The step counter: the i64 state that counts updates from 0."""

from __future__ import annotations

from ..graph import Graph, Node, state


def step_counter(g: Graph) -> Node:
    """The graph's own step counter, or a new one."""
    for n in g.state:
        if g.names[n] == "step":
            return n
    return state("step", (), dtype="i64")
