"""What a node is, whatever stage it stands in: type, cost, line, formula and gradient rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import cleandoc
from typing import Any, Final

from ...graph import Constant, Input, Node, Op, Source, shortened
from ...graph.text.attributes import print_op
from ...passes import cotangents

LONGEST: Final = 240
"""So many characters of a statement or an expression are kept: constants print all numbers."""


def node_row(n: Node, inputs: Sequence[int], sizes: Mapping[str, int]) -> dict[str, Any]:
    """All of a node but its gradient rule, in types that JSON has."""
    source = isinstance(n.op, Source)
    return {
        "op": n.op.name,
        "text": shortened(print_op(n.op), LONGEST),
        "type": str(n.type),
        "inputs": list(inputs),
        "bytes": n.type.nbytes(sizes),
        "flops": 0 if source else n.flops(sizes),
        "source": source,
        "where": _line(n),
        "formula": _formula(n.op),
        "gradient": "",
        "fused": n.op.fused,
    }


def gradient_rule(n: Node, names: Mapping[Node, str]) -> str:
    """The cotangent of each input, a line each, as the op's `vjp` makes it of `dy`; nothing where
    it gives none."""
    if isinstance(n.op, Source) or not n.type.is_float:
        return ""
    dy = Node(Input(n.type), (), n.type, "dy")
    try:
        parts = cotangents(n, dy)
    except Exception:  # a rule that is the user's own may fail as it likes
        return ""
    known = {n: f"%{names[n]}", dy: "dy", **{i: f"%{names[i]}" for i in n.inputs}}
    rules = {
        known[i]: _expression(part, known)
        for i, part in zip(n.inputs, parts, strict=True)
        if part is not None
    }
    return "\n".join([f"d{name} = {shortened(rule, LONGEST)}" for name, rule in rules.items()])


def _expression(n: Node, known: Mapping[Node, str]) -> str:
    """A node as what it computes from those that are known."""
    texts = dict(known)
    stack = [n]
    while stack:
        m = stack[-1]
        missing = [i for i in m.inputs if i not in texts]
        if m in texts or not missing:
            stack.pop()
            texts.setdefault(m, _applied(m, [texts[i] for i in m.inputs]))
        else:
            stack += missing
    return texts[n]


def _applied(n: Node, inputs: Sequence[str]) -> str:
    if isinstance(n.op, Constant) and not n.type.rank:
        return f"{n.op.value.array[()]:g}"
    # What is doubled at each step would grow without bound.
    return shortened(f"{print_op(n.op)}({', '.join(inputs)})", 2 * LONGEST)


def _line(n: Node) -> dict[str, Any] | None:
    """The user's line that made it. Of the file the name alone: folders differ by machine."""
    if n.where is None:
        return None
    file, _, line = str(n.where).rpartition(":")
    return {"file": file, "line": int(line), "code": shortened(n.where.source, LONGEST)}


def _formula(op: Op) -> str:
    """The first paragraph of the op's own docstring."""
    return " ".join(cleandoc(type(op).__doc__ or "").split("\n\n")[0].split())
