"""ONNX's training ops: the updates of an optimizer, as the nodes of their formulas."""

from __future__ import annotations

from typing import Final

from .....graph import GraphError, Node, apply
from .....ops import Gradient, cast, equal, power, sqrt, square, sum, where
from ..call import Call, Rules
from ..values import Value
from .parts import number, shaped


def _parts(c: Call, each: int) -> list[list[Node]]:
    """The inputs behind rate and step: of each of so many kinds, one a tensor."""
    nodes = [c.node(k) for k in range(2, len(c.inputs))]
    count = len(nodes) // each
    if not count or len(nodes) % each:
        raise GraphError(f"it has {len(nodes)} tensors, where a multiple of {each} is expected")
    return [nodes[k * count : (k + 1) * count] for k in range(each)]


def _scalar(x: Node, like: Node) -> Node:
    return shaped(x if x.dtype == like.dtype else cast(x, like.dtype), ())


def _adagrad(c: Call) -> list[Value | None]:
    values, gradients, squares = _parts(c, 3)
    rate = _scalar(c.node(0), values[0])
    step = _scalar(c.node(1), values[0])
    rate = rate / (1.0 + step * c.number("decay_factor", 0.0))
    new, sums = [], []
    for x, g, h in zip(values, gradients, squares, strict=True):
        g = g + x * c.number("norm_coefficient", 0.0)
        sums.append(h + square(g))
        new.append(x - rate * g / (sqrt(sums[-1]) + c.number("epsilon", 0.0)))
    return [*new, *sums]


def _adam(c: Call) -> list[Value | None]:
    values, gradients, firsts, seconds = _parts(c, 4)
    rate, step = _scalar(c.node(0), values[0]), _scalar(c.node(1), values[0])
    alpha, beta = c.number("alpha", 0.9), c.number("beta", 0.999)
    first_step = equal(step, 0.0)
    steps = where(first_step, 1.0, step)  # so that what is not chosen is finite
    first_left, second_left = (1.0 - power(number(b, rate), steps) for b in (alpha, beta))
    rate = where(first_step, rate, rate * sqrt(second_left) / first_left)
    new, first, second = [], [], []
    for x, g, v, h in zip(values, gradients, firsts, seconds, strict=True):
        g = g + x * c.number("norm_coefficient", 0.0)
        first.append(v * alpha + g * (1 - alpha))
        second.append(h * beta + square(g) * (1 - beta))
        moved = x - rate * first[-1] / (sqrt(second[-1]) + c.number("epsilon", 0.0))
        new.append(moved * (1.0 - c.number("norm_coefficient_post", 0.0)))
    return [*new, *first, *second]


def _momentum(c: Call) -> list[Value | None]:
    values, gradients, velocities = _parts(c, 3)
    rate, step = _scalar(c.node(0), values[0]), _scalar(c.node(1), values[0])
    alpha, beta = c.number("alpha", 0.0), c.number("beta", 0.0)
    share = where(equal(step, 0.0), 1.0, number(beta, rate))
    new, moved = [], []
    for x, g, v in zip(values, gradients, velocities, strict=True):
        g = g + x * c.number("norm_coefficient", 0.0)
        moved.append(v * alpha + g * share)
        ahead = g + moved[-1] * alpha if c.text("mode", "standard") == "nesterov" else moved[-1]
        new.append(x - rate * ahead)
    return [*new, *moved]


def _gradient(c: Call) -> list[Value | None]:
    """The derivatives of the sum of y by each of xs, which are the first inputs."""
    xs, y = c.texts("xs"), c.reader.node(c.reader.value(c.text("y", "")))
    if c.names[: len(xs)] != xs:
        raise GraphError(f"its inputs are {list(c.names)}, where {xs} are expected first")
    total = sum(y) if y.type.rank else y
    return [apply(Gradient(), total, c.node(k)) for k in range(len(xs))]


RULES: Final[Rules] = {
    "Adagrad": _adagrad,
    "Adam": _adam,
    "Gradient": _gradient,
    "Momentum": _momentum,
}
