"""What an error about operands says beside the problem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .location import Location
from .op import Op

if TYPE_CHECKING:
    from .node import Node


def explain(problem: str, op: Op, inputs: Sequence[Node], where: Location | None) -> str:
    """The problem with the operands, their types and the lines that made them."""
    layer = _layer_of(inputs)
    subject = f"{op.name}{f' in layer {layer}' if layer else ''}"
    lines = [problem if problem.startswith(op.name) else f"{subject}: {problem}"]
    head, *fix = lines[0].split("\nfix: ")
    lines = [head]
    if where is not None:
        lines.append(f"  {op.name} at {where.described}")
    for i, n in enumerate(inputs):
        at = f" at {n.where.described}" if n.where is not None else ""
        lines.append(f"  input {i}: %{n.asked_name or n.op.name}: {n.type}{at}")
    lines += [f"  fix: {f}" for f in fix]
    return "\n".join(lines)


def _layer_of(inputs: Sequence[Node]) -> str | None:
    """The layer that the first parameter among the inputs names, as `fc1` in `fc1.weight`."""
    names = (n.asked_name for n in inputs if n.op.name == "parameter")
    return next((name.rpartition(".")[0] for name in names if name and "." in name), None)
