"""Losses of class numbers: weighted, with a class that is ignored, of any rank."""

from __future__ import annotations

from typing import Final

from .....graph import Node
from .....ops import (
    broadcast_to,
    cast,
    divide,
    equal,
    log_softmax,
    mean,
    multiply,
    negative,
    nll,
    sum,
    where,
)
from ..call import Call, Rules
from ..values import Value
from .parts import as_dtype, ordered, shaped
from .reductions import one_hot


def _log_likelihood(c: Call) -> Value:
    return _loss(c, c.node(0))


def _cross_entropy(c: Call) -> list[Value | None]:
    scores = c.node(0)
    rank = scores.type.rank
    last = [0, *range(2, rank), 1]
    back = [0, rank - 1, *range(1, rank - 1)]
    log_p = ordered(log_softmax(ordered(scores, last)), back)
    return [_loss(c, log_p), log_p]


def _loss(c: Call, log_p: Node) -> Node:
    """-weight[label] log_p[label], for log_p [N,C,...] and labels [N,...], and joined."""
    labels = as_dtype(c.node(1), "i64")
    reduction = c.text("reduction", "mean")
    ignored = c.integer("ignore_index", 0) if "ignore_index" in c.attributes else None
    kept = None
    if ignored is not None:
        dropped = equal(labels, ignored)
        labels = where(dropped, 0, labels)
        kept = where(dropped, 0.0, cast(equal(labels, labels), log_p.dtype))
    each = _at(log_p, labels)
    weights = kept
    if c.has(2):
        by_class = negative(_at(_beside(c.fixed(2), log_p), labels))
        weights = by_class if kept is None else multiply(by_class, kept)
    each = each if weights is None else each * weights
    if reduction == "none":
        return each
    if reduction == "sum" or weights is None:
        return sum(each) if reduction == "sum" else mean(each)
    return divide(sum(each), sum(weights))


def _beside(weights: Node, log_p: Node) -> Node:
    """The weights of classes, for each place of log_p."""
    rank = log_p.type.rank
    along = (*weights.shape, *(1,) * (rank - 2))
    return broadcast_to(shaped(weights, along), log_p.shape)


def _at(log_p: Node, labels: Node) -> Node:
    """-log_p at the labels, along axis 1."""
    if log_p.type.rank == 2 and isinstance(log_p.shape[1], int):
        return nll(log_p, labels)
    hot = one_hot(labels, log_p.shape[1], "bool", 1)
    return negative(sum(where(hot, log_p, 0.0), axes=(1,)))


RULES: Final[Rules] = {
    "NegativeLogLikelihoodLoss": _log_likelihood,
    "SoftmaxCrossEntropyLoss": _cross_entropy,
}
