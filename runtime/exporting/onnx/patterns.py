"""Several nodes of ours that are one op of ONNX: what a reader knows stays one node.

Softmax is declared here as the exponential of its logarithm, and layer normalization as the
arithmetic that it is. Where nothing else reads what lies between, as in inference, they are written
under the format's own names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from ....graph import Constant, Graph, Node
from .builder import Builder, Value


class Found(NamedTuple):
    """A pattern at a node: the nodes that it stands for beside that one, what it reads, and how it
    is written."""

    within: frozenset[Node]
    inputs: tuple[Node, ...]
    write: Callable[..., Value]


def patterns(g: Graph) -> Mapping[Node, Found]:
    """The patterns of a graph, by the node that gives the result."""
    found: dict[Node, Found] = {}
    for n in g.order:
        for match in _MATCHES:
            pattern = match(n)
            if pattern is not None and _is_closed(g, n, pattern.within):
                found[n] = pattern
    return found


def _is_closed(g: Graph, root: Node, within: frozenset[Node]) -> bool:
    """Whether nothing but the pattern reads what lies within it."""
    inside = within | {root}
    return all(n not in g.roots and inside.issuperset(g.users[n]) for n in within)


def _softmax(n: Node) -> Found | None:
    if not _is(n, "exp") or not _is(n.inputs[0], "log_softmax"):
        return None
    logarithm = n.inputs[0]
    return Found(frozenset([logarithm]), logarithm.inputs, lambda at, x: at.op("Softmax", x))


def _layer_norm(n: Node) -> Found | None:
    """(x - mean) (1 / sqrt(mean((x - mean)^2) + eps)) weight + bias, along the last axis.

    In f32 alone, as an attribute of ONNX rounds eps to that; and of more than one column, as
    onnxruntime had none of one.
    """
    if n.dtype != "f32" or n.shape[-1:] == (1,):
        return None
    try:
        scaled, bias = _operands(n, "add")
        normalized, weight = _operands(scaled, "multiply")
        centered, inverse = _operands(normalized, "multiply")
        x, mean = _operands(centered, "subtract")
        one, deviation = _operands(inverse, "divide")
        (shifted,) = _operands(deviation, "sqrt")
        variance, eps = _operands(shifted, "add")
        (squares,) = _operands(variance, "mean")
        of_squares, of_mean = _operands(squares, "square"), _operands(mean, "mean")
    except _AnotherError:
        return None
    means: list[Any] = [mean.op, variance.op]
    last = (x.type.rank - 1,)
    if (
        of_squares != (centered,)
        or of_mean != (x,)
        or not all(op.axes == last and op.keepdims for op in means)
        or {weight.shape, bias.shape} != {x.shape[-1:]}
        or _number(one) != 1.0
        or _number(eps) is None
    ):
        return None

    def write(at: Builder, x: Value, weight: Value, bias: Value) -> Value:
        return at.op("LayerNormalization", x, weight, bias, epsilon=_number(eps))

    parts = [scaled, normalized, centered, mean, inverse, deviation, shifted, variance, squares]
    return Found(frozenset(parts), (x, weight, bias), write)


class _AnotherError(Exception):
    """A node is of another op than a pattern has there."""


def _is(n: Node, op: str) -> bool:
    return n.op.name == op


def _operands(n: Node, op: str) -> tuple[Node, ...]:
    if not _is(n, op):
        raise _AnotherError
    return n.inputs


def _number(n: Node) -> float | None:
    """The value of a scalar constant."""
    return float(n.op.array) if isinstance(n.op, Constant) and not n.type.rank else None


_MATCHES: Final = (_softmax, _layer_norm)
