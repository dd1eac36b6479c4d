"""Matrix products, and the affine layer built on them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..graph import (
    Array,
    GraphError,
    IntShape,
    Node,
    Op,
    OverRows,
    Point,
    Product,
    Residues,
    TensorType,
    apply,
    op,
)
from .blas import add_product
from .reductions import sum


def turned(op: MatMul | Gemm | Product, a: Any, b: Any) -> tuple[Any, Any]:
    """The two matrices that are multiplied: each transposed where the op reads it so."""
    return a.T if op.transpose_a else a, b.T if op.transpose_b else b


@op
class MatMul(Op):
    """y = a b for matrices a [M,K] and b [K,P], either read transposed."""

    name: ClassVar[str] = "matmul"
    traceable: ClassVar[bool] = True
    matrix_product: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 0
    transpose_a: bool = False
    transpose_b: bool = False

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 2, "a", "b")
        a, b = types
        if a.rank != 2 or b.rank != 2 or not a.is_float or a.dtype != b.dtype:
            raise GraphError(
                f"a is {a} and b is {b}, where two float matrices of one dtype are expected"
            )
        rows, inner = a.shape[::-1] if self.transpose_a else a.shape
        other, columns = b.shape[::-1] if self.transpose_b else b.shape
        if inner != other:
            raise GraphError(
                f"a{' transposed' * self.transpose_a} has {inner} columns, but "
                f"b{' transposed' * self.transpose_b} has {other} rows ({a} and {b})"
                "\nfix: make the inner dimensions equal, or transpose one"
            )
        return a.with_shape((rows, columns))

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        a, b = node.inputs
        ta, tb = self.transpose_a, self.transpose_b
        da = (
            matmul(b, dy, transpose_a=tb, transpose_b=True)
            if ta
            else matmul(dy, b, transpose_b=not tb)
        )
        db = (
            matmul(dy, a, transpose_a=True, transpose_b=ta)
            if tb
            else matmul(a, dy, transpose_a=not ta)
        )
        return da, db

    def product(self, result: IntShape, *inputs: IntShape) -> Product | None:
        inner = inputs[0][0 if self.transpose_a else 1]
        return Product(result[0], inner, result[1], self.transpose_a, self.transpose_b)

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "sum" if self.transpose_a else "each"

    def exact(self, at: Point, a: Residues, b: Residues) -> Residues:
        left, right = turned(self, a, b)
        product: Residues = left @ right
        return product

    def run(self, a: Array, b: Array, *, out: Array) -> None:
        np.dot(*turned(self, a, b), out=out)


@op
class Gemm(Op):
    """c' = beta c + alpha a b, for c [M,P], a [M,K], b [K,P] and scalars; a, b read transposed.

    BLAS's name for it: where c' takes over c, the product is written nowhere else, and the sum is
    rounded where the BLAS rounds it.
    """

    name: ClassVar[str] = "gemm"
    is_blas_call: ClassVar[bool] = True
    matrix_product: ClassVar[bool] = True
    adds: ClassVar[tuple[int, int] | None] = (1, 2)
    inplace: ClassVar[tuple[int, ...]] = (0,)
    flops_per_element: ClassVar[int] = 3
    fused: ClassVar[bool] = True
    transpose_a: bool = False
    transpose_b: bool = False

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 5, "c", "a", "b", "alpha", "beta")
        c, a, b, *scalars = types
        product = MatMul(self.transpose_a, self.transpose_b).infer(a, b)
        if c != product:
            raise GraphError(f"c is {c}, but the product of a and b is {product} ({a} and {b})")
        for name, t in zip(("alpha", "beta"), scalars, strict=True):
            if t != c.with_shape(()):
                raise GraphError(f"{name} is {t}, where {c.with_shape(())} is expected")
        return c

    def product(self, result: IntShape, *inputs: IntShape) -> Product | None:
        return MatMul(self.transpose_a, self.transpose_b).product(result, *inputs[1:])

    def exact(
        self, at: Point, c: Residues, a: Residues, b: Residues, alpha: Residues, beta: Residues
    ) -> Residues:
        left, right = turned(self, a, b)
        product: Residues = left @ right
        return c * beta + product * alpha

    def run(self, c: Array, a: Array, b: Array, alpha: Array, beta: Array, *, out: Array) -> None:
        if out is not c:
            np.copyto(out, c)
        left, right = turned(self, a, b)
        add_product(left, right, out, float(alpha), float(beta))

    def run_product(self, *arrays: Array, out: Array) -> None:
        _, a, b, *_ = arrays
        MatMul(self.transpose_a, self.transpose_b).run(a, b, out=out)


@op
class Linear(Op):
    """y = x weight + bias, for x [N,D], weight [D,H] and bias [H]."""

    name: ClassVar[str] = "linear"
    traceable: ClassVar[bool] = True
    matrix_product: ClassVar[bool] = True

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 3, "x", "weight", "bias")
        x, weight, bias = types
        if len({t.dtype for t in types}) > 1 or not x.is_float:
            raise GraphError(
                f"x, weight and bias are {x}, {weight} and {bias}, "
                "where floats of one dtype are expected"
            )
        if x.rank != 2 or weight.rank != 2 or bias.rank != 1:
            raise GraphError(
                f"x is {x}, weight is {weight}, bias is {bias}; expected are [N,D], [D,H], [H]"
            )
        if x.shape[1] != weight.shape[0]:
            raise GraphError(
                f"x has {x.shape[1]} columns, but the weight has {weight.shape[0]} rows "
                f"({x} and {weight})"
                f"\nfix: declare the weight as [{x.shape[1]},{weight.shape[1]}], or feed x as "
                f"[{x.shape[0]},{weight.shape[0]}]"
            )
        if weight.shape[1] != bias.shape[0]:
            raise GraphError(
                f"the weight has {weight.shape[1]} columns, but the bias has "
                f"{bias.shape[0]} elements "
                f"({weight} and {bias})\nfix: declare the bias as [{weight.shape[1]}]"
            )
        return x.with_shape((x.shape[0], weight.shape[1]))

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x, weight, _ = node.inputs
        return (
            matmul(dy, weight, transpose_b=True),
            matmul(x, dy, transpose_a=True),
            sum(dy, axes=(0,)),
        )

    def product(self, result: IntShape, *inputs: IntShape) -> Product | None:
        return Product(result[0], inputs[0][1], result[1])

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each"

    def exact(self, at: Point, x: Residues, weight: Residues, bias: Residues) -> Residues:
        return x @ weight + bias

    def run(self, x: Array, weight: Array, bias: Array, *, out: Array) -> None:
        affine(x, weight, bias, out)


@op
class LinearRelu(Op):
    """y = max(x weight + bias, 0): a fusion, made after differentiation."""

    name: ClassVar[str] = "linear_relu"
    traceable: ClassVar[bool] = True
    matrix_product: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 2
    fused: ClassVar[bool] = True

    def infer(self, *types: TensorType) -> TensorType:
        return Linear().infer(*types)

    def product(self, result: IntShape, *inputs: IntShape) -> Product | None:
        return Product(result[0], inputs[0][1], result[1])

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each"

    def exact(self, at: Point, x: Residues, weight: Residues, bias: Residues) -> Residues:
        y = x @ weight + bias
        return (y > 0).choose(y, 0)

    def run(self, x: Array, weight: Array, bias: Array, *, out: Array) -> None:
        affine(x, weight, bias, out)
        np.maximum(out, 0.0, out=out)


def affine(x: Array, weight: Array, bias: Array, out: Array) -> None:
    """out = x weight + bias."""
    np.dot(x, weight, out=out)  # cheaper than matmul to call, for small matrices
    np.add(out, bias, out=out)


def matmul(
    a: Node,
    b: Node,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    name: str | None = None,
) -> Node:
    """a b, for matrices, either read transposed."""
    return apply(MatMul(transpose_a, transpose_b), a, b, name=name)


def linear(x: Node, weight: Node, bias: Node, *, name: str | None = None) -> Node:
    """x weight + bias, for x [N,D], weight [D,H] and bias [H]."""
    return apply(Linear(), x, weight, bias, name=name)
