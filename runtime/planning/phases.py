"""The phases of a step: what runs once, what runs before the first write of state, and what then
writes; and what has to be finite before that."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ...graph import Constant, Graph, Input, Node, Nodes, Source, kernel_groups


def phases(g: Graph) -> tuple[list[Nodes], list[Nodes], list[Nodes]]:
    """The groups that run once, those up to the first write of state, and the rest."""
    assert g.schedule is not None
    s = g.schedule
    groups = kernel_groups(s)
    once = [group for group in groups if group[0] in s.once]
    rest = groups[len(once) :]
    for k, group in enumerate(rest):
        if any(n in s.takeovers and isinstance(s.takeovers[n].op, Source) for n in group):
            return once, rest[:k], rest[k:]
    return once, rest, []


def late_products(late: Collection[Node]) -> dict[Node, tuple[Node, Node]]:
    """The products that are added where states lie, by their factors, where these are early."""
    added = {n: factors for n in late if (factors := n.added_factors) is not None}
    return {n: (a, b) for n, (a, b) in added.items() if a not in late and b not in late}


def watched(g: Graph, late: Collection[Node], factors: Collection[Node]) -> list[Node]:
    """The loss, the floats that updates read or are, and the factors of what is added in place,
    but for what is held; `late` is what runs from the first write of state on.

    Where the squares of all factors have a finite sum, each element of the products is finite
    (Cauchy and Schwarz: it is at most half of the sum), and so is what they are a share of.
    """
    return [
        n
        for n in dict.fromkeys([*read_late(g, late), *factors])
        if n not in late and n.type.is_float and (n in factors or _is_made(n))
    ]


def read_late(g: Graph, late: Collection[Node]) -> list[Node]:
    """The loss, and what updates read or are before the first write of state."""
    read = [i for n in g.order if n in late for i in n.inputs]
    read += [n for n in g.updates.values() if n not in late]
    return [g.loss, *read] if g.loss is not None and g.updates else read


def is_wrong(n: Node) -> bool:
    """Whether a constant is not finite, such as a gradient that a pass has computed."""
    return isinstance(n.op, Constant) and n.type.is_float and not np.isfinite(n.op.array).all()


def _is_made(n: Node) -> bool:
    """Whether a step makes the value, or is fed with it: what is held is finite."""
    return isinstance(n.op, Input) or not isinstance(n.op, Source)
