"""Losses: scalars, each a mean, built from ops whose gradients are known.

With weights, a mean is the weighted sum divided by the sum of the weights, as torch does for
class weights; weights that sum to 0 give NaN, which a step reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from ..graph import (
    Array,
    GraphError,
    Node,
    TensorType,
    as_array,
    check_node,
    constant,
    exactly,
    has,
    is_number,
    is_whole,
    shown,
)
from .activations import softplus
from .arithmetic import add, divide, minimum, multiply, subtract
from .likelihood import log_softmax, nll
from .pointwise import absolute, exp, square
from .reductions import mean, sum
from .relu import relu
from .shaping import broadcast_to, reshape

ClassWeights = Sequence[float] | Array | Mapping[int, float]


def softmax_cross_entropy(
    scores: Node,
    labels: Node,
    *,
    class_weights: ClassWeights | None = None,
    sample_weights: Node | None = None,
    label_smoothing: float = 0.0,
    name: str | None = None,
) -> Node:
    """The mean over rows of -ln softmax(scores)[label]: scores [N,C] floats, labels i64[N].

    `class_weights` weigh each row by its label's: C numbers, or a dict of them by class, in which
    a class that is left out weighs 1. `sample_weights`, a node [N], weigh it by its own; with
    both, by their product. `label_smoothing` e in [0, 1) takes (1 - e) of the
    label and e / C of each class; that share is weighed class by class, as torch does. Made of
    log_softmax, nll and mean. Source: the softmax loss of CS231n and EECS 498, and torch's
    cross_entropy.
    """
    if not is_number(label_smoothing) or not 0 <= label_smoothing < 1:
        raise GraphError(
            f"label_smoothing is {shown(label_smoothing)}, where a share in [0, 1) is expected"
        )
    log_p = log_softmax(scores)
    loss = nll(log_p, labels)
    by_class = None if class_weights is None else _class_weights(class_weights, scores.type)
    weights = None
    if by_class is not None:
        weights = -nll(broadcast_to(by_class, scores.type.shape), labels)
        loss = loss * weights
    if label_smoothing:
        shares = log_p if by_class is None else log_p * by_class
        spread = sum(shares, axes=(1,)) * (label_smoothing / _classes(scores.type))
        loss = loss * (1 - label_smoothing) - spread
    if sample_weights is not None:
        _check_sample_weights("softmax_cross_entropy", sample_weights, loss.type)
        loss = loss * sample_weights
        weights = sample_weights if weights is None else weights * sample_weights
    if weights is None:
        return mean(loss, name=name)
    return divide(sum(loss), sum(weights), name=name)


def mean_squared_error(
    predictions: Node,
    targets: Node,
    *,
    sample_weights: Node | None = None,
    name: str | None = None,
) -> Node:
    """The mean over all elements of (predictions - targets)^2, both of one type.

    `sample_weights`, a node [N], weighs each row.
    """
    difference = _difference("mean_squared_error", predictions, targets)
    return _mean("mean_squared_error", square(difference), sample_weights, name)


def mean_absolute_error(
    predictions: Node,
    targets: Node,
    *,
    sample_weights: Node | None = None,
    name: str | None = None,
) -> Node:
    """The mean over all elements of |predictions - targets|, both of one type; at 0 the
    subgradient is 0.

    `sample_weights`, a node [N], weighs each row.
    """
    difference = _difference("mean_absolute_error", predictions, targets)
    return _mean("mean_absolute_error", absolute(difference), sample_weights, name)


def huber(
    predictions: Node,
    targets: Node,
    *,
    delta: float = 1.0,
    sample_weights: Node | None = None,
    name: str | None = None,
) -> Node:
    """The mean over all elements of d d / 2 where |d| <= delta, else delta (|d| - delta / 2),
    for d = predictions - targets, both of one type.

    `sample_weights`, a node [N], weighs each row. Source: Huber 1964; torch's HuberLoss.
    """
    if not is_number(delta) or delta <= 0:
        raise GraphError(
            f"huber: delta is {shown(delta)}, where a finite number above 0 is expected"
        )
    distance = absolute(_difference("huber", predictions, targets))
    near = minimum(distance, delta)
    return _mean("huber", near * (distance - near * 0.5), sample_weights, name)


def binary_cross_entropy_with_logits(
    logits: Node,
    targets: Node,
    *,
    sample_weights: Node | None = None,
    name: str | None = None,
) -> Node:
    """The mean over all elements of -(t ln s + (1 - t) ln(1 - s)), s = sigmoid(logits).

    Targets t are probabilities, of the type of the logits. Computed as t softplus(-x) +
    (1 - t) softplus(x), which neither overflows nor cancels. `sample_weights`, a node [N],
    weighs each row.
    """
    kind = "binary_cross_entropy_with_logits"
    _check_pair(kind, "logits", logits, targets)
    loss = add(targets * softplus(-logits), (1.0 - targets) * softplus(logits))
    return _mean(kind, loss, sample_weights, name)


def hinge(
    scores: Node,
    labels: Node,
    *,
    margin: float = 1.0,
    sample_weights: Node | None = None,
    name: str | None = None,
) -> Node:
    """The mean over rows of the sum over wrong classes j of max(0, s_j - s_label + margin).

    scores are [N,C] floats, labels i64[N]; at the kink the subgradient is 0. `sample_weights`, a
    node [N], weighs each row. Source: the multiclass SVM loss of CS231n and EECS 498 (torch's
    MultiMarginLoss divides by C besides).
    """
    if not is_number(margin):
        raise GraphError(f"hinge: margin is {shown(margin)}, where a finite number is expected")
    right = reshape(-nll(scores, labels), (scores.type.shape[0], 1))
    # The label's own term is the margin, whatever the scores: it is taken away again.
    over = relu(subtract(scores, right) + margin)
    return _mean("hinge", sum(over, axes=(1,)) - margin, sample_weights, name)


def poisson_nll(
    log_rates: Node,
    counts: Node,
    *,
    sample_weights: Node | None = None,
    name: str | None = None,
) -> Node:
    """The mean over all elements of exp(log_rates) - counts log_rates, both of one type.

    The negative log-likelihood of Poisson counts, without ln(counts!), which no parameter
    changes. `sample_weights`, a node [N], weighs each row. Source: torch's PoissonNLLLoss.
    """
    _check_pair("poisson_nll", "log_rates", log_rates, counts)
    loss = subtract(exp(log_rates), counts * log_rates)
    return _mean("poisson_nll", loss, sample_weights, name)


def _mean(kind: str, loss: Node, weights: Node | None, name: str | None) -> Node:
    """The mean over all elements, weighed row by row where there are weights."""
    if weights is None:
        return mean(loss, name=name)
    _check_sample_weights(kind, weights, loss.type)
    per_row = loss if loss.type.rank == 1 else mean(loss, axes=range(1, loss.type.rank))
    return divide(sum(multiply(per_row, weights)), sum(weights), name=name)


def _difference(kind: str, predictions: Node, targets: Node) -> Node:
    _check_pair(kind, "predictions", predictions, targets)
    return predictions - targets


def _check_pair(kind: str, what: str, x: Node, targets: Node) -> None:
    check_node(kind, what, x)
    check_node(kind, "targets", targets)
    if x.type != targets.type or not x.type.is_float:
        raise GraphError(
            f"{kind}: {what} are {x.type} and targets are {targets.type}, where floats of one type "
            "are expected\n  fix: declare the targets so, or reshape or cast one of them"
        )


def _classes(scores: TensorType) -> int:
    classes = scores.shape[1]
    if not isinstance(classes, int):
        raise GraphError(f"softmax_cross_entropy: scores are {scores}, which fix no class count")
    return classes


def _class_weights(weights: ClassWeights, scores: TensorType) -> Node:
    """The weights of all classes as a constant; raises GraphError for what are none."""
    what, classes = "softmax_cross_entropy: class_weights", _classes(scores)
    due = f"one number for each of the {classes} classes, or a dict of them by class"
    if isinstance(weights, str) and weights == "balanced":
        raise GraphError(
            f"{what} are balanced by the labels, which a graph does not know; give "
            f"len(y) / ({classes} * np.bincount(y, minlength={classes}))"
        )
    if has(weights, "to_dict"):  # a series of pandas, which its index maps
        series: Any = weights
        weights = series.to_dict()
        if np.ndim(series) == 1 and len(weights) < len(series):
            raise GraphError(f"{what} names a class twice; give each class one weight")
    if isinstance(weights, Mapping):
        weights = _by_class(weights, classes, what)
    array = as_array(weights, what, due, name="class_weights")
    if array.shape != (classes,) or array.dtype.kind == "b":
        raise GraphError(f"{what} is {array.dtype}{list(array.shape)}, where {due} is expected")
    wrong = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if wrong.size:
        raise GraphError(
            f"{what} holds {array[wrong[0]]} for class {wrong[0]}, where a finite number from 0 is "
            "expected"
        )
    array = exactly(array, scores.dtype, what)
    if not array.any():
        raise GraphError(f"{what} are all 0, and no row would count; give one class more than 0")
    return constant(array, scores.dtype, name="class_weights")


def _by_class(weights: Mapping[int, float], classes: int, what: str) -> list[float]:
    numbers = [1.0] * classes
    for label, weight in weights.items():
        if not is_whole(label) or label >= classes:
            raise GraphError(
                f"{what} has the key {shown(label)}, where classes are numbers from 0 to "
                f"{classes - 1}"
            )
        large = isinstance(weight, int) and not is_number(weight)
        if isinstance(weight, bool) or not isinstance(weight, Real) or large:
            raise GraphError(f"{what} holds {shown(weight)} for class {label}, which is no number")
        numbers[int(label)] = float(weight)
    return numbers


def _check_sample_weights(kind: str, weights: Node, loss: TensorType) -> None:
    wanted = loss.with_shape(loss.shape[:1])
    if not isinstance(weights, Node):
        raise GraphError(
            f"{kind}: sample_weights are a {type(weights).__name__}, where a node {wanted} is "
            "expected\n  fix: feed them to an input of the graph, "
            f'vg.input("w", {wanted.shape!r}, dtype={wanted.dtype!r})'
        )
    if weights.type != wanted:
        raise GraphError(
            f"{kind}: sample_weights are {weights.type}, where {wanted} is expected: one number a "
            f'row\n  fix: declare them as vg.input("w", {wanted.shape!r}, dtype={wanted.dtype!r})'
        )
