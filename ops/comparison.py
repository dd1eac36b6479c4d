"""Comparisons, and the choice that they steer; no gradient passes a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ..graph import (
    Array,
    GraphError,
    Node,
    Op,
    Operand,
    Point,
    Residues,
    TensorType,
    apply,
    broadcast,
    constant,
    op,
)
from .elementwise import Binary, binary


class Comparison(Binary):
    """y = whether a stands so to b, as bool; false where either is NaN (not_equal: true)."""

    floats_only: ClassVar[bool] = False
    inplace: ClassVar[tuple[int, ...]] = ()
    ufunc: ClassVar[np.ufunc]

    def infer(self, *types: TensorType) -> TensorType:
        return super().infer(*types).with_dtype("bool")

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return None, None

    def kinks(self, *arrays: Array) -> Array | None:
        piece: Array = self.ufunc(*arrays)
        return piece

    def run(self, a: Array, b: Array, *, out: Array) -> None:
        self.ufunc(a, b, out=out)


@op
class Greater(Comparison):
    """y = a > b, as bool; broadcast, false at NaN."""

    name: ClassVar[str] = "greater"
    ufunc: ClassVar[np.ufunc] = np.greater

    def exact(self, at: Point, a: Residues, b: Residues) -> Residues:
        return a > b


@op
class GreaterEqual(Comparison):
    """y = a >= b, as bool; broadcast, false at NaN."""

    name: ClassVar[str] = "greater_equal"
    ufunc: ClassVar[np.ufunc] = np.greater_equal

    def exact(self, at: Point, a: Residues, b: Residues) -> Residues:
        return a >= b


@op
class Less(Comparison):
    """y = a < b, as bool; broadcast, false at NaN."""

    name: ClassVar[str] = "less"
    ufunc: ClassVar[np.ufunc] = np.less

    def exact(self, at: Point, a: Residues, b: Residues) -> Residues:
        return a < b


@op
class LessEqual(Comparison):
    """y = a <= b, as bool; broadcast, false at NaN."""

    name: ClassVar[str] = "less_equal"
    ufunc: ClassVar[np.ufunc] = np.less_equal

    def exact(self, at: Point, a: Residues, b: Residues) -> Residues:
        return a <= b


@op
class Equal(Comparison):
    """y = (a = b), as bool; broadcast, false at NaN."""

    name: ClassVar[str] = "equal"
    ufunc: ClassVar[np.ufunc] = np.equal

    def exact(self, at: Point, a: Residues, b: Residues) -> Residues:
        return a.equals(b)


@op
class NotEqual(Comparison):
    """y = (a != b), as bool; broadcast, true at NaN."""

    name: ClassVar[str] = "not_equal"
    ufunc: ClassVar[np.ufunc] = np.not_equal

    def exact(self, at: Point, a: Residues, b: Residues) -> Residues:
        return ~a.equals(b)


@op
class Where(Op):
    """y = a where condition, else b; condition is bool, a and b of one dtype, all broadcast."""

    name: ClassVar[str] = "where"
    elementwise: ClassVar[bool] = True
    traceable: ClassVar[bool] = True

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 3, "condition", "a", "b")
        condition, a, b = types
        if condition.dtype != "bool" or a.dtype != b.dtype:
            raise GraphError(
                f"condition, a and b are {condition}, {a} and {b}, where bool and two of one dtype "
                "are expected\nfix: compare or cast, e.g. vg.greater(x, 0.0)"
            )
        return a.with_shape(broadcast(*types))

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        condition = node.inputs[0]
        return None, where(condition, dy, 0.0), where(condition, 0.0, dy)

    def passes_on(self, inputs: Sequence[object]) -> int | None:
        _, a, b = inputs
        return 1 if a == b else None

    def exact(self, at: Point, condition: Residues, a: Residues, b: Residues) -> Residues:
        return condition.choose(a, b)

    def run(self, condition: Array, a: Array, b: Array, *, out: Array) -> None:
        np.copyto(out, b)
        np.copyto(out, a, where=condition)


greater = binary(Greater)
greater_equal = binary(GreaterEqual)
less = binary(Less)
less_equal = binary(LessEqual)
equal = binary(Equal)
not_equal = binary(NotEqual)


def where(condition: Node, a: Operand, b: Operand, *, name: str | None = None) -> Node:
    """a where condition, else b; a number takes the dtype of the other, which is a node."""
    like = next((n.type.dtype for n in (a, b) if isinstance(n, Node)), None)
    if like is None:
        raise GraphError("where: a and b are both numbers; make one a node, e.g. vg.constant(0.0)")
    chosen = [n if isinstance(n, Node) else constant(n, like) for n in (a, b)]
    return apply(Where(), condition, *chosen, name=name)
