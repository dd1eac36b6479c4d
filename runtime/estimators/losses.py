"""The losses of the estimators, row by row: what is descended, and what is reported.

The two differ where scikit-learn's do: it reports a mean over the outputs and descends their sum,
and reports the logarithm of a probability that it keeps between eps and 1 - eps of its dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from scipy.special import expit, softmax

from ...graph import Array, Node, input
from ...ops import (
    absolute,
    exp,
    greater,
    log,
    log_softmax,
    maximum,
    minimum,
    nll,
    reshape,
    softplus,
    square,
    sum,
    where,
)


class Rows(NamedTuple):
    """A loss by rows, [N]: `reported` is None where it is what is descended."""

    targets: Node
    descended: Node
    reported: Node | None


class Loss(NamedTuple):
    """How rows are made of the scores and of eps, and the `out_activation_` that goes with them."""

    rows: Callable[[Node, float], Rows]
    out_activation: str
    of_classes: bool = False
    """Whether targets are numbers of classes, i64[N]."""


def _classes(scores: Node, eps: float) -> Rows:
    """-ln softmax(scores)[y], for classes y, i64[N]."""
    y = input("y", ("N",), dtype="i64")
    loss = nll(log_softmax(scores), y)
    return Rows(y, loss, _clipped(loss, eps))


def _logistic(scores: Node, eps: float) -> Rows:
    """-ln sigmoid(z) where y is 1, and -ln(1 - sigmoid(z)) where it is 0, summed over outputs."""
    y = _targets(scores)
    loss = softplus(scores * (1.0 - y * 2.0))
    return Rows(y, _summed(loss), _summed(_clipped(loss, eps)))


def _squared(scores: Node, eps: float) -> Rows:
    """(z - y)^2 / 2."""
    y = _targets(scores)
    return _averaged(y, square(scores - y) * 0.5)


def _absolute(scores: Node, eps: float) -> Rows:
    """|z - y|; its slope is 0 where it is 0."""
    y = _targets(scores)
    return _averaged(y, absolute(scores - y))


def _huber(scores: Node, eps: float) -> Rows:
    """d d / 2 where |d| <= 1, else |d| - 1 / 2, for d = z - y (Huber 1964)."""
    y = _targets(scores)
    distance = absolute(scores - y)
    near = minimum(distance, 1.0)
    return _averaged(y, near * (distance - near * 0.5))


def _poisson(scores: Node, eps: float) -> Rows:
    """Half the deviance of counts y from rates exp(z), summed over outputs."""
    y = _targets(scores)
    loss = exp(scores) - y * scores
    some = greater(y, 0.0)
    least = where(some, y * log(where(some, y, 1.0)), 0.0) - y
    return Rows(y, _summed(loss), _summed(loss + least))


def _targets(scores: Node) -> Node:
    return input("y", scores.type.shape)


def _summed(elements: Node) -> Node:
    """The sum over outputs, [N]."""
    one = elements.type.shape[1] == 1
    return reshape(elements, ("N",)) if one else sum(elements, axes=(1,))


def _averaged(y: Node, elements: Node) -> Rows:
    """What is descended as the sum over outputs, and reported as their mean."""
    outputs = elements.type.shape[1]
    assert isinstance(outputs, int)
    descended = _summed(elements)
    return Rows(y, descended, descended * (1.0 / outputs) if outputs > 1 else None)


def _clipped(loss: Node, eps: float) -> Node:
    """-ln p for a p that is kept between eps and 1 - eps."""
    return maximum(minimum(loss, -math.log(eps)), -math.log1p(-eps))


LOSSES: Final = {
    "log_loss": Loss(_classes, "softmax", of_classes=True),
    "binary_log_loss": Loss(_logistic, "logistic"),
    "squared_error": Loss(_squared, "identity"),
    "absolute_error": Loss(_absolute, "identity"),
    "huber": Loss(_huber, "identity"),
    "poisson": Loss(_poisson, "exp"),
}
"""By scikit-learn's names, and by names as it would give them."""


def activated(out_activation: str, scores: Array) -> Array:
    """What is predicted from the scores [N,K]: probabilities, rates or the scores themselves."""
    if out_activation == "softmax":
        probabilities: Array = softmax(scores, axis=1)
        return probabilities
    if out_activation == "logistic":
        each: Array = expit(scores)
        return each
    return np.exp(scores) if out_activation == "exp" else scores
