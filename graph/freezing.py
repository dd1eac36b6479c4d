"""Freezing parameters, and training them again."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from .errors import GraphError
from .node import Node
from .quoting import shown

if TYPE_CHECKING:
    from .graph import Graph


def with_trainable(g: Graph, patterns: Sequence[str], *, trainable: bool) -> Graph:
    """The graph whose parameters that a pattern matches are trainable, or are not.

    Raises GraphError for a pattern that matches no parameter, and for a graph that is compiled,
    whose gradients and updates are made already.
    """
    verb = "unfreeze" if trainable else "freeze"
    names = {p: g.names[p] for p in g.parameters}
    chosen: dict[Node, Node] = {}
    if not patterns:
        raise GraphError(f"{verb} takes names of parameters, such as 'fc1.*'; '*' is all of them")
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise GraphError(f"{verb} takes names such as 'fc1.*', not {shown(pattern)}")
        matching = [p for p, name in names.items() if fnmatchcase(name, pattern)]
        if not matching:
            raise GraphError(
                f"no parameter matches {shown(pattern)}; there are {', '.join(names.values())}"
            )
        for p in matching:
            op = p.op.but(trainable=trainable)
            chosen[p] = Node(op, (), p.type, p.name, p.layer, p.where)
    if g.schedule is not None or any(
        p in g.updates or f"{names[p]}.grad" in g.named for p in chosen
    ):
        raise GraphError(
            f"graph {g.name} is compiled: its gradients and updates are made already; {verb} what "
            "was declared, and compile that"
        )
    return g.replace(chosen)
