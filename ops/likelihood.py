"""Log-softmax and the negative log-likelihood, which reads one class of each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ..graph import (
    TRANSCENDENTAL,
    Array,
    Dim,
    GraphError,
    IntShape,
    Node,
    Op,
    OverRows,
    Point,
    Residues,
    RunError,
    TensorType,
    apply,
    op,
    size_of,
)
from .labels import check_labels, label_places, row_starts
from .pointwise import exp
from .reductions import sum


@op
class LogSoftmax(Op):
    """y = x - ln(sum(exp(x))) along the last axis, the maximum subtracted first.

    Exact to 4 units in the last place of max(1, |y|): where one class is nearly certain, the sum
    is rounded beside 1.
    """

    name: ClassVar[str] = "log_softmax"
    traceable: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 4 + TRANSCENDENTAL
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

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each" if types[0].rank > 1 else None

    def exact(self, at: Point, x: Residues) -> Residues:
        y = x.fixed.function_of_rows("log_softmax")
        moved = x - (y.function("exp") * x).sum((-1,), keepdims=True)
        return y.with_tangent(moved)

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        exps, column = scratch
        if not x.shape[-1]:
            raise RunError("the softmax of no classes is not defined; feed one column or more")
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

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 2, "log_probabilities", "labels")
        p, labels = types
        if p.rank != 2 or not p.is_float or p.shape[1] == 0:
            raise GraphError(f"scores are {p}, where [N,C] floats are expected")
        if not isinstance(p.shape[1], int):
            raise GraphError(
                f"scores are {p}, whose classes are counted by the symbol {p.shape[1]}, where a "
                "number is expected\nfix: declare as many classes as there are, e.g. [N,10]"
            )
        _check_labels(labels, p)
        return p.with_shape(p.shape[:1])

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        p, labels = node.inputs
        classes = p.type.shape[1]
        assert isinstance(classes, int)
        return apply(NLLGrad(classes), dy, labels), None

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[1],)

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each"

    def exact(self, at: Point, p: Residues, labels: Residues) -> Residues:
        return -p[np.arange(p.shape[0]), labels.indices(p.shape[1])]

    def run(self, p: Array, labels: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        (places,) = scratch
        label_places(labels, p.shape[1], places)
        p.reshape(-1).take(places, None, out, "clip")
        np.negative(out, out=out)


@op
class NLLGrad(Op):
    """dx[i, labels[i]] = -dy[i], 0 elsewhere: [N,classes] from dy [N] and i64[N]."""

    name: ClassVar[str] = "nll_grad"
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

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each"

    def exact(self, at: Point, dy: Residues, labels: Residues) -> Residues:
        return (-dy).put((np.arange(dy.shape[0]), labels.indices(self.classes)), at.shape)

    def run(self, dy: Array, labels: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        places, negated = scratch
        label_places(labels, self.classes, places)
        np.negative(dy, out=negated)
        out.fill(0)
        out.reshape(-1).put(places, negated, mode="clip")


@op
class RowStarts(Op):
    """y[i] = i classes, as i64[rows]: where each row of [rows,classes] begins, counted flat."""

    name: ClassVar[str] = "row_starts"
    rows: Dim
    classes: int

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 0)
        return TensorType("i64", (self.rows,))

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return ()

    def free_symbols(self) -> tuple[str, ...]:
        return (self.rows,) if isinstance(self.rows, str) else ()

    def bind(self, sizes: Mapping[str, int]) -> Op:
        rows = size_of(self.rows, sizes) if isinstance(self.rows, str) else self.rows
        return RowStarts(rows, self.classes)

    def exact(self, at: Point) -> Residues:
        return at.numbers(np.arange(at.size(self.rows)) * self.classes)

    def run(self, *, out: Array) -> None:
        row_starts(self.classes, out)


@op
class LabelPlaces(Op):
    """y[i] = starts[i] + labels[i], the flat places of labels 0 to C - 1, as i64[N]."""

    name: ClassVar[str] = "label_places"
    classes: int

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 2, "starts", "labels")
        starts, labels = types
        if starts.dtype != "i64" or starts.rank != 1:
            raise GraphError(f"starts are {starts}, where i64[N] is expected")
        _check_labels(labels, starts)
        return starts

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return None, None

    def exact(self, at: Point, starts: Residues, labels: Residues) -> Residues:
        return starts + labels

    def run(self, starts: Array, labels: Array, *, out: Array) -> None:
        check_labels(labels, self.classes)
        np.add(starts, labels, out=out)


@op
class NLLAt(Op):
    """y[i] = -log_probabilities.flat[places[i]], for [N,C] and i64[N] from label_places."""

    name: ClassVar[str] = "nll_at"
    row_local: ClassVar[bool] = True
    fused: ClassVar[bool] = True
    traceable: ClassVar[bool] = True

    def infer(self, *types: TensorType) -> TensorType:
        return NLL().infer(*types)

    def exact(self, at: Point, p: Residues, places: Residues) -> Residues:
        return -p.reshape(-1)[places.indices(p.value.size)]

    def run(self, p: Array, places: Array, *, out: Array) -> None:
        p.reshape(-1).take(places, None, out, "clip")
        np.negative(out, out=out)


@op
class SoftmaxNLLGrad(Op):
    """dx[i] = dy[i] (exp(p[i]) - 1 at the label), from p = log_softmax(x) [N,C], places, dy [N].

    The gradient of nll(log_softmax(x), labels); places are those of the labels, flat.
    """

    name: ClassVar[str] = "softmax_nll_grad"
    row_local: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 1 + TRANSCENDENTAL
    fused: ClassVar[bool] = True
    traceable: ClassVar[bool] = True

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 3, "log_probabilities", "places", "dy")
        p, places, dy = types
        if NLL().infer(p, places) != dy:
            raise GraphError(f"dy is {dy}, where {p.with_shape(p.shape[:1])} is expected")
        return p

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[2],)

    def flops(self, result: IntShape, *inputs: IntShape) -> int:
        return super().flops(result, *inputs) + result[0]

    def exact(self, at: Point, p: Residues, places: Residues, dy: Residues) -> Residues:
        every = (p.function("exp") * dy.reshape(-1, 1)).reshape(-1)
        return (every - dy.put(places.indices(p.value.size), every.shape)).reshape(*at.shape)

    def run(
        self, p: Array, places: Array, dy: Array, *, out: Array, scratch: tuple[Array, ...]
    ) -> None:
        (at_label,) = scratch
        np.exp(p, out=out)
        np.multiply(out, dy[:, None], out=out)
        flat = out.reshape(-1)
        flat.take(places, None, at_label, "clip")
        np.subtract(at_label, dy, out=at_label)
        flat.put(places, at_label, "clip")


def log_softmax(x: Node, *, name: str | None = None) -> Node:
    """ln of the softmax of x along its last axis."""
    return apply(LogSoftmax(), x, name=name)


def softmax(x: Node, *, name: str | None = None) -> Node:
    """exp(x) / sum(exp(x)) along the last axis, as exp(log_softmax(x)).

    Exact to 4 max(1, |ln y|) units in the last place, as its logarithm is.
    """
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
