"""Normalizations: by running values that become states, and by those of each sample."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

from .....graph import Dim, GraphError, Node, apply
from .....ops import (
    BatchNorm,
    absolute,
    divide,
    equal,
    inverse_deviation,
    max,
    mean,
    sqrt,
    square,
    sum,
    where,
)
from ..call import Call, Rules, counted
from ..values import Value, Weight
from .parts import as_dtype, numbered, shaped


def _channels(x: Node, rank: int) -> Node:
    """A vector of one number a channel beside tensors of that rank, whose axis 1 they are."""
    return shaped(x, (*x.shape, *(1,) * (rank - 2)))


def _batch(c: Call) -> list[Value | None]:
    """Batch normalization. Of rows, with stored running values, it is ours: these are states,
    which training updates. What else there is is normalized by what is given."""
    x, epsilon, kept = c.node(0), c.number("epsilon", 1e-5), c.number("momentum", 0.9)
    stored = [v for v in (c.value(3), c.value(4)) if isinstance(v, Weight)]
    if x.type.rank == 2 and len(stored) == 2:
        mean, variance = map(c.reader.sources.state, stored)
        weight, bias = (as_dtype(c.node(k), x.dtype) for k in (1, 2))
        y = apply(BatchNorm(epsilon, kept), x, weight, bias, mean, variance)
        layer = (weight.name or "").rpartition(".")[0]
        return [y.but(name=layer) if layer else y, mean, variance]
    weight, bias = c.node(1), c.node(2)
    mean, variance = c.fixed(3), c.fixed(4)
    others: list[Value | None] = []
    if c.integer("training_mode", 0):
        own = _mean(x, [a for a in range(x.type.rank) if a != 1])
        spread = _mean(square(x - own), [a for a in range(x.type.rank) if a != 1])
        flat = (shaped(n, mean.shape) for n in (own, spread))
        mean, variance, others = (
            own,
            spread,
            [
                old * kept + new * (1 - kept)
                for old, new in zip((mean, variance), flat, strict=True)
            ],
        )
    mean, variance, weight, bias = (
        n if n.type.rank > 1 else _channels(n, x.type.rank) for n in (mean, variance, weight, bias)
    )
    return [(x - mean) * inverse_deviation(variance, epsilon) * weight + bias, *others]


def _mean(x: Node, axes: Sequence[int]) -> Node:
    return mean(x, axes=axes, keepdims=True)


def _standard(x: Node, axes: Sequence[int], epsilon: float) -> tuple[Node, Node, Node]:
    """x with mean 0 and variance 1 over axes; the mean, and 1 over the deviation."""
    middle = _mean(x, axes)
    centered = x - middle
    inverse = inverse_deviation(_mean(square(centered), axes), epsilon)
    return centered * inverse, middle, inverse


def _layer(c: Call) -> list[Value | None]:
    x = c.node(0)
    axes = range(c.axis(-1, x.type.rank), x.type.rank)
    y, middle, inverse = _standard(x, axes, c.number("epsilon", 1e-5))
    y = y * c.node(1)
    return [y + c.node(2) if c.has(2) else y, middle, inverse]


def _rms(c: Call) -> Value:
    x = c.node(0)
    axes = range(c.axis(-1, x.type.rank), x.type.rank)
    return x * inverse_deviation(_mean(square(x), axes), c.number("epsilon", 1e-5)) * c.node(1)


def _instance(c: Call) -> Value:
    x = c.node(0)
    y, _, _ = _standard(x, range(2, x.type.rank), c.number("epsilon", 1e-5))
    return y * _channels(c.node(1), x.type.rank) + _channels(c.node(2), x.type.rank)


def _group(c: Call) -> Value:
    """Each group of channels with mean 0 and variance 1; before opset 21 scaled by group."""
    x, groups = c.node(0), c.integer("num_groups", 1)
    n, channels, *places = x.shape
    each = numbered(channels) // groups
    grouped = shaped(x, (n, groups, each * prod(numbered(d) for d in places)))
    y = shaped(_standard(grouped, [2], c.number("epsilon", 1e-5))[0], x.shape)
    weight, bias = c.node(1), c.node(2)
    if weight.shape != (channels,):
        split: tuple[Dim, ...] = (n, groups, each, *places)
        by_group = [shaped(v, (groups, *(1,) * (len(split) - 2))) for v in (weight, bias)]
        return shaped(shaped(y, split) * by_group[0] + by_group[1], x.shape)
    return y * _channels(weight, x.type.rank) + _channels(bias, x.type.rank)


def _norm(c: Call) -> Value:
    """x by its norm along an axis; 0 where that is 0."""
    x = c.node(0)
    return _by_norm(x, "L1" if c.integer("p", 2) == 1 else "L2", c.axis(-1, x.type.rank))


def _mean_variance(c: Call) -> Value:
    x = c.node(0)
    axes = [counted(a, x.type.rank) for a in (c.integers("axes") or [0, 2, 3])]
    return _standard(x, axes, 1e-9)[0]


def normalizer(c: Call) -> Value:
    """Each row by its norm: the largest, the sum of absolutes, or the Euclidean one."""
    return _by_norm(c.node(0), c.text("norm", "MAX"), 1)


def _by_norm(x: Node, kind: str, axis: int) -> Node:
    """x by its norm along an axis, and as it is where that is 0, which has no slope."""
    size: Node
    if kind == "MAX":
        size = max(absolute(x), axes=(axis,), keepdims=True)
    elif kind == "L1":
        size = sum(absolute(x), axes=(axis,), keepdims=True)
    elif kind == "L2":
        size = sum(square(x), axes=(axis,), keepdims=True)
    else:
        raise GraphError(f"the norm {kind!r} is none of MAX, L1 and L2")
    size = where(equal(size, 0.0), 1.0, size)
    return divide(x, sqrt(size) if kind == "L2" else size)


RULES: Final[Rules] = {
    "BatchNormalization": _batch,
    "GroupNormalization": _group,
    "InstanceNormalization": _instance,
    "LayerNormalization": _layer,
    "LpNormalization": _norm,
    "MeanVarianceNormalization": _mean_variance,
    "RMSNormalization": _rms,
}
