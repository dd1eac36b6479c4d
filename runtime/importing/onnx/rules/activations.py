"""Activations, and the softmax family."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from .....graph import Dim, GraphError, Node
from .....ops import (
    absolute,
    divide,
    dropout,
    elu,
    exp,
    expm1,
    gelu,
    greater,
    leaky_relu,
    less,
    log_softmax,
    maximum,
    minimum,
    multiply,
    relu,
    selu,
    sigmoid,
    silu,
    softplus,
    tanh,
    where,
)
from ..call import Call, Rule, Rules, counted
from ..values import Known, Value
from .parts import as_dtype, in_floats, ordered, shaped
from .reductions import first_of


def _relu(c: Call) -> Value:
    x = c.node(0)
    return relu(x) if x.type.is_float else maximum(x, 0)


def _leaky_relu(c: Call) -> Value:
    return _leaky(c.node(0), c.number("alpha", 0.01))


def _leaky(x: Node, slope: float) -> Node:
    return leaky_relu(x, slope=slope) if slope > 0 else where(less(x, 0.0), x * slope, x)


def _prelu(c: Call) -> Value:
    """x where it is not below 0, else slope x; the slopes are those of the channels, or of all."""
    return where(less(c.node(0), 0.0), multiply(c.node(0), _slopes(c)), c.node(0))


def _slopes(c: Call) -> Node:
    slope, rank = c.node(1), c.node(0).type.rank
    if c.version < 7 and slope.type.rank == 1 and rank > 2:
        return shaped(slope, (*slope.shape, *(1,) * (rank - 2)))
    return slope


def _elu(c: Call) -> Value:
    return _elu_of(c.node(0), c.number("alpha", 1.0))


def _elu_of(x: Node, alpha: float) -> Node:
    if alpha > 0:
        return elu(x, alpha=alpha)
    return where(greater(x, 0.0), x, expm1(minimum(x, 0.0)) * alpha)


def _celu(c: Call) -> Value:
    x, alpha = c.node(0), c.number("alpha", 1.0)
    return elu(x) if alpha == 1 else elu(x / alpha) * alpha


_SELU: Final = 1.67326319217681884765625, 1.05070102214813232421875


def _selu(c: Call) -> Value:
    x, alpha, gamma = c.node(0), c.number("alpha", _SELU[0]), c.number("gamma", _SELU[1])
    if np.allclose((alpha, gamma), _SELU, rtol=1e-6, atol=0):
        return selu(x)
    return _elu_of(x, alpha) * gamma


def _gelu(c: Call) -> Value:
    return gelu(c.node(0), form="tanh" if c.text("approximate", "none") == "tanh" else "exact")


def _hard(x: Node, alpha: float, beta: float) -> Node:
    return maximum(minimum(x * alpha + beta, 1.0), 0.0)


def _swish(c: Call) -> Value:
    x, alpha = c.node(0), c.number("alpha", 1.0)
    return silu(x) if alpha == 1 else x * sigmoid(x * alpha)


def _thresholded(c: Call) -> Value:
    x = c.node(0)
    return where(greater(x, c.number("alpha", 1.0)), x, 0.0)


def _shrink(c: Call) -> Value:
    x, bias, limit = c.node(0), c.number("bias", 0.0), c.number("lambd", 0.5)
    return where(less(x, -limit), x + bias, where(greater(x, limit), x - bias, 0.0))


def _clip(c: Call) -> Value:
    """x between the bounds; where they cross, the upper one wins."""
    x = c.node(0)
    if c.version < 11:
        lower, upper = (c.number(n, s * math.inf) for n, s in (("min", -1.0), ("max", 1.0)))
        x = x if _beyond(lower) else maximum(x, lower)
        return x if _beyond(upper) else minimum(x, upper)
    x = maximum(x, _bound(c, 1)) if c.has(1) else x
    return minimum(x, _bound(c, 2)) if c.has(2) else x


def _bound(c: Call, k: int) -> Node:
    return as_dtype(c.fixed(k), c.node(0).dtype)


def _beyond(bound: float) -> bool:
    """Whether it is the largest float, which old exporters write for no bound."""
    return abs(bound) >= float(np.finfo(np.float32).max) * (1 - 1e-6)


def _of_rows(c: Call, function: Callable[[Node], Node]) -> Value:
    """A function along the last axis, along the axis that is asked for.

    Before opset 13 it goes along that axis and all behind it.
    """
    x = c.node(0)
    rank = x.type.rank
    if c.version < 13:
        axis = counted(c.integer("axis", 1), max(rank, 1)) if rank else 0
        rest = x.shape[axis:]
        if len(rest) == 1:
            return function(x)
        return shaped(function(shaped(x, (*x.shape[:axis], _size(rest)))), x.shape)
    axis = c.axis(-1, rank)
    turned = [a for a in range(rank) if a != axis] + [axis]
    return ordered(function(ordered(x, turned)), sorted(range(rank), key=turned.__getitem__))


def _size(dims: tuple[Dim, ...]) -> int:
    numbers = [d for d in dims if isinstance(d, int)]
    if len(numbers) < len(dims):
        raise GraphError(
            f"it joins axes of the sizes {list(dims)}, of which only a feed tells some"
        )
    return math.prod(numbers)


def _softmax(x: Node) -> Node:
    return exp(log_softmax(x))


def _hardmax(x: Node) -> Node:
    return as_dtype(first_of(in_floats(x), x.type.rank - 1), x.dtype)


def _softsign(x: Node) -> Node:
    return divide(x, absolute(x) + 1.0)


def _mish(x: Node) -> Node:
    return x * tanh(softplus(x))


def _dropout(c: Call) -> list[Value | None]:
    """x; a layer of dropout where the file says that it trains."""
    x = c.node(0)
    share = c.number("ratio", 0.5)
    if c.has(1):
        share = float(c.known(1).reshape(()))
    training = c.has(2) and bool(c.known(2).reshape(()))
    dropped = dropout(x, keep=1 - share) if training and share else x
    return [dropped, Known(np.ones(x.type.bind({}), np.bool_)) if not x.type.symbols else None]


def _of(function: Callable[[Node], Node]) -> Rule:
    return lambda c: function(c.node(0))


RULES: Final[Rules] = {
    "Celu": _celu,
    "Clip": _clip,
    "Dropout": _dropout,
    "Elu": _elu,
    "Gelu": _gelu,
    "HardSigmoid": lambda c: _hard(c.node(0), c.number("alpha", 0.2), c.number("beta", 0.5)),
    "HardSwish": lambda c: c.node(0) * _hard(c.node(0), 1 / 6, 0.5),
    "Hardmax": partial(_of_rows, function=_hardmax),
    "LeakyRelu": _leaky_relu,
    "LogSoftmax": partial(_of_rows, function=log_softmax),
    "Mish": _of(_mish),
    "PRelu": _prelu,
    "Relu": _relu,
    "Selu": _selu,
    "Shrink": _shrink,
    "Softmax": partial(_of_rows, function=_softmax),
    "Softplus": _of(softplus),
    "Softsign": _of(_softsign),
    "Swish": _swish,
    "ThresholdedRelu": _thresholded,
}
