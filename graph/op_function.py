"""The function of an op by its name, for those that have none of their own."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from typing import Any

from .node import Node, Operand, apply
from .op import OPS, Op


def op_function(name: str) -> Callable[..., Node] | None:
    """The function of an op by its name: inputs by place, attributes by name; None if unknown."""
    kind = OPS.get(name)
    if kind is None:
        return None

    def function(*inputs: Operand, name: str | None = None, **attributes: Any) -> Node:
        return apply(kind(**attributes), *inputs, name=name)

    function.__name__ = function.__qualname__ = kind.name
    function.__doc__ = kind.__doc__
    function.__signature__ = _signature(kind)  # type: ignore[attr-defined]
    return function


def _signature(kind: type[Op]) -> Signature:
    """The inputs as `run` calls them, by place, and the attributes by name."""
    _, *parameters = signature(kind.run).parameters.values()
    inputs = [
        p.replace(kind=p.POSITIONAL_ONLY if p.kind is p.POSITIONAL_OR_KEYWORD else p.kind)
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
    ]
    taken = {"name", *(p.name for p in inputs)}
    named = [
        p.replace(kind=p.KEYWORD_ONLY)
        for p in signature(kind).parameters.values()
        if p.name not in taken
    ]
    nodes = [p.replace(annotation="Operand") for p in inputs]
    name = Parameter("name", Parameter.KEYWORD_ONLY, default=None, annotation="str | None")
    return Signature([*nodes, *named, name], return_annotation="Node")
