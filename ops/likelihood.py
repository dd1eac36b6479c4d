"""Log-softmax and the negative log-likelihood, which reads one class of each row."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..graph import (
    TRANSCENDENTAL,
    Array,
    GraphError,
    IntShape,
    Node,
    Op,
    RunError,
    TensorType,
    apply,
    op,
)
from .pointwise import exp
from .reductions import sum


@op
class LogSoftmax(Op):
    """y = x - ln(sum(exp(x))) along the last axis, the maximum subtracted first."""

    name: ClassVar[str] = "log_softmax"
    flops_per_element: ClassVar[int] = 4 + TRANSCENDENTAL
    calls: ClassVar[int] = 6
    inplace: ClassVar[tuple[int, ...]] = (0,)

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        (x,) = types
        if x.rank < 1 or not x.is_float:
            raise GraphError(f"input is {x}, where floats of rank 1 or more are expected")
        if x.shape[-1] == 0:
            raise GraphError(f"input is {x}, which has no classes; the last axis needs one or more")
        return x

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        last = (node.type.rank - 1,)
        return (dy - exp(node) * sum(dy, axes=last, keepdims=True),)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        (x,) = types
        return x, x.with_shape((*x.shape[:-1], 1))

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        exps, column = scratch
        np.maximum.reduce(x, axis=-1, out=column, keepdims=True)
        np.subtract(x, column, out=out)
        np.exp(out, out=exps)
        np.add.reduce(exps, axis=-1, out=column, keepdims=True)
        np.log(column, out=column)
        np.subtract(out, column, out=out)


@op
class NLL(Op):
    """y[i] = -log_probabilities[i, labels[i]], for [N,C] and i64[N]; labels are 0 to C - 1."""

    name: ClassVar[str] = "nll"
    calls: ClassVar[int] = 6

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 2, "log_probabilities", "labels")
        p, labels = types
        if p.rank != 2 or not p.is_float or p.shape[1] == 0:
            raise GraphError(f"scores are {p}, where [N,C] floats are expected")
        _check_labels(labels, p)
        return p.with_shape(p.shape[:1])

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        p, labels = node.inputs
        classes = p.type.shape[1]
        assert isinstance(classes, int)
        return apply(NLLGrad(classes), dy, labels), None

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[1],)

    def run(self, p: Array, labels: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        (places,) = scratch
        label_places(labels, p.shape[1], places)
        p.reshape(-1).take(places, None, out, "clip")
        np.negative(out, out=out)


@op
class NLLGrad(Op):
    """dx[i, labels[i]] = -dy[i], 0 elsewhere: [N,classes] from dy [N] and i64[N]."""

    name: ClassVar[str] = "nll_grad"
    calls: ClassVar[int] = 7
    classes: int

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 2, "dy", "labels")
        dy, labels = types
        if dy.rank != 1 or not dy.is_float:
            raise GraphError(f"dy is {dy}, where [N] floats are expected")
        _check_labels(labels, dy)
        return dy.with_shape((*dy.shape, self.classes))

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return apply(NLL(), dy, node.inputs[1]), None

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return types[1], types[0]

    def flops(self, result: IntShape, *inputs: IntShape) -> int:
        return result[0]

    def run(self, dy: Array, labels: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        places, negated = scratch
        label_places(labels, self.classes, places)
        np.negative(dy, out=negated)
        out.fill(0)
        out.reshape(-1).put(places, negated, mode="clip")


def label_places(labels: Array, classes: int, out: Array) -> None:
    """out[i] = i classes + labels[i], the flat place of each row's label.

    Raises RunError naming the first label that is not one of 0 to classes - 1.
    """
    if labels.size == 0:
        return
    # As unsigned numbers, negative labels are large ones too.
    if np.maximum.reduce(labels.view(np.uint64)) >= classes:
        row = int(np.flatnonzero(labels.view(np.uint64) >= classes)[0])
        raise RunError(
            f"label {labels[row]} in row {row} is out of range: with {classes} classes, "
            f"labels are 0 to {classes - 1}"
        )
    out.fill(classes)
    out[0] = 0
    np.add.accumulate(out, out=out)
    np.add(out, labels, out=out)


def log_softmax(x: Node, *, name: str | None = None) -> Node:
    """ln of the softmax of x along its last axis."""
    return apply(LogSoftmax(), x, name=name)


def softmax(x: Node, *, name: str | None = None) -> Node:
    """exp(x) / sum(exp(x)) along the last axis, as exp(log_softmax(x))."""
    return exp(log_softmax(x), name=name)


def nll(log_probabilities: Node, labels: Node, *, name: str | None = None) -> Node:
    """-log_probabilities[i, labels[i]] for each row i."""
    return apply(NLL(), log_probabilities, labels, name=name)


def _check_labels(labels: TensorType, rows: TensorType) -> None:
    if labels.dtype != "i64" or labels.shape != rows.shape[:1]:
        raise GraphError(
            f"labels are {labels}, where i64[{rows.shape[0]}] is expected: one class number a row "
            f'of {rows}\nfix: declare them as vg.input("y", ({rows.shape[0]!r},), dtype="i64")'
        )
