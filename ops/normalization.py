"""Batch and layer normalization: as declared, and the statistics that training expands them to."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from ..graph import (
    Array,
    GraphError,
    IntShape,
    Layer,
    Node,
    Op,
    OverRows,
    Point,
    Residues,
    TensorType,
    apply,
    check_name,
    check_node,
    op,
    parameter,
    shown,
    state,
)
from .arithmetic import divide
from .pointwise import sqrt, square
from .reductions import count, mean, sum
from .sharding import check_rows


@op
class BatchNorm(Op):
    """y = (x - running_mean) / sqrt(running_var + eps) weight + bias, for x [N,D], the rest [D].

    Batch normalization as declared; run as it stands it is the inference form. The training
    pipeline puts the batch's statistics in place of the running ones, and updates these:
    running = momentum running + (1 - momentum) batch. `momentum` is the share of the old value
    that is kept, as in CS231n and ONNX (torch gives the share of the new); `unbiased` divides
    the variance that is kept by N - 1, as torch does, and not by N. No gradient passes to the
    running values. Source: Ioffe and Szegedy 2015.
    """

    name: ClassVar[str] = "batch_norm"
    traceable: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 3
    inplace: ClassVar[tuple[int, ...]] = (0,)
    eps: float = 1e-5
    momentum: float = 0.9
    unbiased: bool = False

    def __post_init__(self) -> None:
        _check_eps("batch_norm", self.eps)
        if isinstance(self.momentum, bool) or not 0 <= self.momentum <= 1:
            raise GraphError(
                f"batch_norm: momentum is {shown(self.momentum)}, where a number from 0 to 1 is "
                "expected: the share of the old running value that is kept"
            )

    def infer(self, *types: TensorType) -> TensorType:
        names = "x", "weight", "bias", "running_mean", "running_var"
        self.takes(types, 5, *names)
        x = types[0]
        if x.rank != 2 or not x.is_float:
            raise GraphError(f"x is {x}, where floats [N,D] are expected")
        wanted = x.with_shape(x.shape[1:])
        for name, t in zip(names[1:], types[1:], strict=True):
            if t != wanted:
                raise GraphError(f"{name} is {t}, where {wanted} is expected: one a column of {x}")
        return x

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x, weight, _, running_mean, running_var = node.inputs
        inverse = inverse_deviation(running_var, self.eps)
        return (
            dy * (weight * inverse),
            sum(dy * (x - running_mean), axes=(0,)) * inverse,
            sum(dy, axes=(0,)),
            None,
            None,
        )

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[1],)

    def over_rows(self, *types: TensorType) -> OverRows | None:
        return "each"

    def exact(
        self,
        at: Point,
        x: Residues,
        weight: Residues,
        bias: Residues,
        running_mean: Residues,
        running_var: Residues,
    ) -> Residues:
        deviation = (running_var + self.eps).function("sqrt", slope=lambda y: 0.5 / y)
        return (x - running_mean) * weight / deviation + bias

    def run(
        self,
        x: Array,
        weight: Array,
        bias: Array,
        running_mean: Array,
        running_var: Array,
        *,
        out: Array,
        scratch: tuple[Array, ...],
    ) -> None:
        (scale,) = scratch
        np.add(running_var, self.eps, out=scale)
        np.sqrt(scale, out=scale)
        np.divide(weight, scale, out=scale)
        np.subtract(x, running_mean, out=out)
        np.multiply(out, scale, out=out)
        np.add(out, bias, out=out)


@op
class BatchVariance(Op):
    """y = the mean over rows of c c, for c [N,D], from which the rows' mean was subtracted.

    The variance that divides by N. Fewer than two rows are an error, since all that is left of
    one row is 0.
    """

    name: ClassVar[str] = "batch_variance"
    traceable: ClassVar[bool] = True

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1, "centered")
        (c,) = types
        if c.rank != 2 or not c.is_float:
            raise GraphError(f"the centered input is {c}, where floats [N,D] are expected")
        return c.with_shape(c.shape[1:])

    def flops(self, result: IntShape, *inputs: IntShape) -> int:
        return 2 * math.prod(inputs[0]) + math.prod(result)

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        (c,) = node.inputs
        return (c * (dy * 2.0 / count(c.type, (0,))),)

    def exact(self, at: Point, centered: Residues) -> Residues:
        return (centered * centered).mean((0,))

    def run(self, centered: Array, *, out: Array) -> None:
        rows = centered.shape[0]
        check_rows(rows)
        np.einsum("nd,nd->d", centered, centered, out=out)
        np.divide(out, rows, out=out)


def batch_norm(
    x: Node,
    *,
    name: str | None = None,
    eps: float = 1e-5,
    momentum: float = 0.9,
    unbiased: bool = False,
    trainable: bool = True,
) -> Node:
    """Batch normalization of x [N,D]: declares `name.weight` (ones), `name.bias` (zeros), and
    the state `name.running_mean` (zeros) and `name.running_var` (ones), all [D].

    Training normalizes by the batch's mean and its variance over N, and updates the running
    values by momentum running + (1 - momentum) batch; inference reads them. `momentum` is the
    share of the old value that is kept (torch's 0.1 is 0.9 here); `unbiased=True` keeps the
    running variance over N - 1, as torch does. Neither weight nor bias is regularized. With
    `trainable=False` both are frozen, and the running values with them: training then normalizes
    by these, as inference does (as in Keras; torch goes on with the batch's). A layer without a
    name is numbered bn1, bn2, ... Raises GraphError where x is not [N,D].
    """
    layer, prefix, width = _declared("batch_norm", x, name, "bn")
    dtype = x.type.dtype
    weight, bias = _affine(prefix, width, dtype, layer, trainable)
    running_mean = state(f"{prefix}running_mean", (width,), "zeros", dtype=dtype, layer=layer)
    running_var = state(f"{prefix}running_var", (width,), "ones", dtype=dtype, layer=layer)
    form = BatchNorm(eps, momentum, unbiased)
    return apply(form, x, weight, bias, running_mean, running_var, name=name, layer=layer)


def layer_norm(
    x: Node, *, name: str | None = None, eps: float = 1e-5, trainable: bool = True
) -> Node:
    """Layer normalization of x [N,D], row by row: declares `name.weight` (ones) and `name.bias`
    (zeros), both [D] and not regularized, and with `trainable=False` frozen.

    (x - mean) / sqrt(var + eps) weight + bias, with the mean and the variance over D of each
    row; the same in training and inference. A layer without a name is numbered ln1, ln2, ...
    Raises GraphError where x is not [N,D]. Source: Ba, Kiros and Hinton 2016.
    """
    _check_eps("layer_norm", eps)
    layer, prefix, width = _declared("layer_norm", x, name, "ln")
    weight, bias = _affine(prefix, width, x.type.dtype, layer, trainable)
    centered = x - mean(x, axes=(1,), keepdims=True)
    variance = mean(square(centered), axes=(1,), keepdims=True)
    normalized = centered * inverse_deviation(variance, eps) * weight + bias
    return Node(normalized.op, normalized.inputs, normalized.type, name, layer, normalized.where)


def inverse_deviation(variance: Node, eps: float) -> Node:
    """1 / sqrt(variance + eps)."""
    return divide(1.0, sqrt(variance + eps))


def _declared(kind: str, x: Node, name: str | None, short: str) -> tuple[Layer | None, str, int]:
    """The layer where it has no name, what its parameters' names begin with, and its width."""
    check_node(kind, "x", x)
    check_name(name)
    if x.type.rank != 2 or not isinstance(x.type.shape[1], int) or not x.type.is_float:
        raise GraphError(
            f"{kind}{f' {name}' if name else ''}: x is {x.type}, where floats [N,D] with D a "
            "number are expected\n  fix: reshape x to one row a sample, e.g. "
            "vg.reshape(x, ('N', 784))"
        )
    return (
        (Layer(short), "", x.type.shape[1]) if name is None else (None, f"{name}.", x.type.shape[1])
    )


def _affine(
    prefix: str, width: int, dtype: str, layer: Layer | None, trainable: bool
) -> tuple[Node, Node]:
    """The weight and the bias behind a normalization, one number a column."""
    weight = parameter(
        f"{prefix}weight", (width,), "ones", dtype=dtype, trainable=trainable, layer=layer
    )
    bias = parameter(
        f"{prefix}bias", (width,), "zeros", dtype=dtype, trainable=trainable, layer=layer
    )
    return weight, bias


def _check_eps(kind: str, eps: float) -> None:
    if isinstance(eps, bool) or not (isinstance(eps, (int, float)) and 0 < eps < math.inf):
        raise GraphError(f"{kind}: eps is {shown(eps)}, where a small number above 0 is expected")
