"""What the tensors are called that graphs are compared by: gradients (`NAME.grad`, and `.clipped`
behind it), outputs and new values."""

from __future__ import annotations

from collections.abc import Mapping

from ..graph import Graph, Node, roles


def named_gradients(g: Graph) -> Mapping[str, Node]:
    """The gradients for a graph's parameters, clipped and not, where they have nodes of their own;
    each by what it is. A node of the user's that is called so is none."""
    found: dict[str, Node] = {}
    role = roles(g)
    for p in g.trained:
        name = g.names[p]
        for what, suffix in (("gradient", ".grad"), ("clipped gradient", ".grad.clipped")):
            n = g.named.get(name + suffix)
            if n is not None and n.type == p.type and role[n] == "backward":
                found[f"the {what} for {name}"] = n
    return found


def named_tensors(g: Graph) -> dict[str, Node]:
    """All that a graph gives, by what it is: outputs, and new values of parameters and state."""
    outputs = {output_name(key): n for key, n in g.outputs.items()}
    return outputs | {new_name(g.names[w]): n for w, n in g.updates.items()}


def output_name(key: str) -> str:
    """What an output is called."""
    return f"output {key}"


def new_name(name: str) -> str:
    """What the new value of a parameter or a state is called."""
    return f"the new {name}"
