"""Joins the loss of softmax cross-entropy and its gradient, which share the labels' places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..graph import Graph, Node, apply
from ..ops.arithmetic import Multiply, Subtract
from ..ops.likelihood import (
    NLL,
    LabelPlaces,
    LogSoftmax,
    NLLAt,
    NLLGrad,
    RowStarts,
    SoftmaxNLLGrad,
)
from ..ops.pointwise import Exp
from ..ops.reductions import Sum
from .base import Numbers, Pass, Rewrite


@dataclass(frozen=True)
class FuseSoftmaxNLL(Pass):
    """nll(p, y) and the gradient of it and of p = log_softmax(x) read the labels' places once.

    Before:

        graph net {
          %x: f32[N,3] = input
          %y: i64[N] = input
          %dy: f32[N] = input
          %p: f32[N,3] = log_softmax(%x)
          %loss: f32[N] = nll(%p, %y)
          %g: f32[N,3] = nll_grad{3}(%dy, %y)
          %e: f32[N,3] = exp(%p)
          %s: f32[N,1] = sum{axes=[1],keepdims=true}(%g)
          %m: f32[N,3] = multiply(%e, %s)
          %dx: f32[N,3] = subtract(%g, %m)
          return rows=%loss, dx=%dx
        }

    After:

        graph net {
          %x: f32[N,3] = input
          %y: i64[N] = input
          %dy: f32[N] = input
          %p: f32[N,3] = log_softmax(%x)
          %row_starts: i64[N] = row_starts{rows=N,classes=3}()
          %label_places: i64[N] = label_places{3}(%row_starts, %y)
          %loss: f32[N] = nll_at(%p, %label_places)
          %dx: f32[N,3] = softmax_nll_grad(%p, %label_places, %dy)
          return rows=%loss, dx=%dx
        }

    The sum of a row of nll_grad is its one number, so that dx is dy softmax(x), less dy at the
    label; where dy is negative, a 0 may become -0. Only where the gradient is there, of the type
    of p: the loss alone gains nothing. After differentiation, since what it makes has none.
    """

    name: ClassVar[str] = "fuse_softmax_nll"
    breaks: ClassVar[tuple[str, ...]] = ("differentiable",)
    numbers: ClassVar[Numbers] = "reassociate"

    def rewrites(self, g: Graph) -> Iterator[Rewrite]:
        places: dict[tuple[Node, ...], Node] = {}  # by the labels and the probabilities
        for n in g.order:
            match = _gradient(n)
            if match is None:
                continue
            p, dy, labels = match
            rows, classes = p.type.shape
            if (labels, p) not in places:
                assert isinstance(classes, int)
                starts = apply(RowStarts(rows, classes))
                places[labels, p] = apply(LabelPlaces(classes), starts, labels)
            fused = apply(SoftmaxNLLGrad(), p, places[labels, p], dy)
            yield Rewrite(n, fused, "the gradient of nll(log_softmax) in one kernel")
        for n in g.order:
            if isinstance(n.op, NLL) and n.inputs[::-1] in places:
                p, _ = n.inputs
                yield Rewrite(
                    n, apply(NLLAt(), p, places[n.inputs[::-1]]), "the gradient finds its labels"
                )


def _gradient(n: Node) -> tuple[Node, Node, Node] | None:
    """p, dy and the labels, where n is the gradient of nll(p = log_softmax(x), labels)."""
    if not isinstance(n.op, Subtract) or not isinstance(n.inputs[0].op, NLLGrad):
        return None
    at_label, product = n.inputs
    if not isinstance(product.op, Multiply):
        return None
    for e, s in (product.inputs, product.inputs[::-1]):
        matched = isinstance(e.op, Exp) and s.op == Sum((1,), keepdims=True)
        if matched and s.inputs[0] is at_label and isinstance(e.inputs[0].op, LogSoftmax):
            dy, labels = at_label.inputs
            p = e.inputs[0]
            return (p, dy, labels) if p.type == at_label.type else None
    return None
