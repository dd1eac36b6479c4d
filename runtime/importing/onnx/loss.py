"""The loss that an imported net trains on, of one of its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ....graph import Constant, Graph, GraphError, Node, input, shown, suggest
from ....ops import (
    binary_cross_entropy_with_logits,
    concat,
    hinge,
    huber,
    mean_absolute_error,
    mean_squared_error,
    poisson_nll,
    softmax_cross_entropy,
)

_OF_LABELS: Final[Mapping[str, Callable[[Node, Node], Node]]] = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "hinge": hinge,
}
_OF_VALUES: Final[Mapping[str, Callable[[Node, Node], Node]]] = {
    "binary_cross_entropy_with_logits": binary_cross_entropy_with_logits,
    "huber": huber,
    "mean_absolute_error": mean_absolute_error,
    "mean_squared_error": mean_squared_error,
    "poisson_nll": poisson_nll,
}


def with_loss(
    name: str,
    outputs: Mapping[str, Node],
    inputs: Sequence[Node],
    loss: str | Callable[[Node], Node] | None,
    output: str | None,
    target: str,
) -> Graph:
    """The graph with a loss of one output, and with that output alone where there is no loss."""
    key = _chosen(outputs, output)
    if loss is None:
        return Graph(name, {key: outputs[key]}, inputs=inputs)
    if callable(loss):
        return Graph(name, {k: n for k, n in outputs.items() if k != "loss"},
                     loss=loss(outputs[key]), inputs=inputs)  # fmt: skip
    known = {**_OF_LABELS, **_OF_VALUES}
    if loss not in known:
        raise GraphError(f"the loss {shown(loss)} is unknown{suggest(loss, known)}")
    if any(n.name == target for n in inputs):
        raise GraphError(
            f"the file has an input {target!r} already\nfix: call the target otherwise, "
            "from_onnx(..., target='labels')"
        )
    scores = _scores(loss, outputs[key])
    if loss in _OF_LABELS:
        y = input(target, scores.shape[:1], "i64")
    else:
        y = input(target, scores.shape, scores.dtype)
    rest = {k: n for k, n in outputs.items() if k != "loss"}
    return Graph(name, rest, loss=known[loss](scores, y), inputs=[*inputs, y])


def _chosen(outputs: Mapping[str, Node], output: str | None) -> str:
    """The output that is trained: the one that is named, or the only one of floats."""
    if output is not None:
        if output not in outputs:
            raise GraphError(f"there is no output {shown(output)}{suggest(output, outputs)}")
        return output
    floats = [k for k, n in outputs.items() if n.type.is_float]
    if len(floats) != 1:
        raise GraphError(
            f"{len(floats)} of the outputs are floats: {', '.join(floats)}\nfix: say which is "
            "trained, from_onnx(..., output=...)"
        )
    return floats[0]


def _scores(loss: str, n: Node) -> Node:
    """What the loss reads: of probabilities, the scores that they are made of."""
    if loss == "softmax_cross_entropy":
        if n.op.name == "exp" and n.inputs[0].op.name == "log_softmax":
            return n.inputs[0].inputs[0]
        two = _two_classes(n)
        return n if two is None else two
    if loss == "binary_cross_entropy_with_logits" and n.op.name == "sigmoid":
        return n.inputs[0]
    if loss == "poisson_nll" and n.op.name == "exp":
        return n.inputs[0]
    return n


def _two_classes(n: Node) -> Node | None:
    """The scores -z/2 and z/2 of the probabilities 1 - s and s, s = sigmoid(z), as scikit-learn
    has them for two classes: their softmax is the same."""
    if n.op.name != "concat" or len(n.inputs) != 2 or n.type.rank != 2:
        return None
    first, second = n.inputs
    if first.op.name != "subtract" or first.inputs[1] is not second or second.op.name != "sigmoid":
        return None
    one = first.inputs[0].op
    if n.shape[1] != 2 or not isinstance(one, Constant) or (one.array != 1).any():
        return None
    half = second.inputs[0] * 0.5
    return concat([-half, half], axis=1)
