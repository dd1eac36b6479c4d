"""Reductions along axes: sums, means, extremes, products, norms, running sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Final

import numpy as np

from .....graph import Dim, Node, apply, constant
from .....ops import (
    absolute,
    add,
    cast,
    equal,
    exp,
    log,
    max,
    mean,
    multiply,
    negative,
    slice,
    sqrt,
    square,
    stop_gradient,
    sum,
    where,
)
from .....ops.reductions import FirstMax
from ..call import Call, Rules, counted
from ..values import Value
from .parts import (
    LONGEST,
    along,
    as_dtype,
    counting,
    expanded,
    few,
    full,
    in_floats,
    joined,
    numbered,
    picked,
    shaped,
)

Reduce = Callable[[Node, Sequence[int], bool], Node]


def _reduced(c: Call, function: Reduce, empty: float | None = None) -> Value:
    """The reduction along `axes`, of all where there are none; whole numbers as f64 in between.

    `empty` is what it gives of nothing, where our op of it is an error.
    """
    x = c.node(0)
    axes = c.axes(1)
    if not axes and c.integer("noop_with_empty_axes", 0):
        return as_dtype(function(in_floats(x), (), True), x.dtype)
    rank = x.type.rank
    chosen = [counted(a, rank) for a in axes] if axes else list(range(rank))
    keep = bool(c.integer("keepdims", 1))
    if empty is not None and any(x.shape[a] == 0 for a in chosen):
        shape = [1 if a in chosen else d for a, d in enumerate(x.shape) if keep or a not in chosen]
        return full(empty > 0 if x.dtype == "bool" else empty, shape, x.dtype)
    if x.dtype == "bool":
        return as_dtype(function(cast(x, "f32"), chosen, keep), "bool")
    return as_dtype(function(in_floats(x), chosen, keep), x.dtype)


def _sum(x: Node, axes: Sequence[int], keep: bool) -> Node:
    return sum(x, axes=axes, keepdims=keep)


def _mean(x: Node, axes: Sequence[int], keep: bool) -> Node:
    return mean(x, axes=axes, keepdims=keep)


def _max(x: Node, axes: Sequence[int], keep: bool) -> Node:
    return max(x, axes=axes, keepdims=keep)


def _min(x: Node, axes: Sequence[int], keep: bool) -> Node:
    return negative(max(negative(x), axes=axes, keepdims=keep))


def _product(x: Node, axes: Sequence[int], keep: bool) -> Node:
    """The product, one factor after another, along axes whose sizes are numbers."""
    for axis in axes:
        size = few(x.shape[axis])
        ones = full(1.0, [1 if a == axis else d for a, d in enumerate(x.shape)], x.dtype)
        x = reduce(multiply, [slice(x, axis, k, k + 1) for k in range(size)], ones)
    return x if keep else shaped(x, [d for a, d in enumerate(x.shape) if a not in axes])


def _norm(x: Node, axes: Sequence[int], keep: bool) -> Node:
    return sqrt(sum(square(x), axes=axes, keepdims=keep))


def _log_sum_exp(x: Node, axes: Sequence[int], keep: bool) -> Node:
    """ln(sum(exp(x))), the maximum, where it is finite, subtracted first."""
    top = stop_gradient(max(x, axes=axes, keepdims=True))
    top = where(equal(absolute(top), math.inf), 0.0, top)
    shifted = log(sum(exp(x - top), axes=axes, keepdims=True)) + top
    return shifted if keep else shaped(shifted, [d for a, d in enumerate(x.shape) if a not in axes])


def first_of(x: Node, axis: int) -> Node:
    """1 at the first maximum along an axis, 0 elsewhere."""
    return apply(FirstMax((axis,)), x)


def _place(c: Call, sign: int) -> Value:
    """The place of the first extreme along an axis, or of the last one."""
    x = in_floats(c.node(0))
    axis, rank = c.axis(0, x.type.rank), x.type.rank
    size = few(x.shape[axis], LONGEST)
    last = bool(c.integer("select_last_index", 0))
    x = x if sign > 0 else negative(x)
    x = picked(x, axis, range(size - 1, -1, -1)) if last else x
    places = np.arange(size)[::-1] if last else np.arange(size)
    steps = shaped(constant(places.copy(), "f64"), along(axis, rank, size))
    found = sum(
        cast(first_of(x, axis), "f64") * steps,
        axes=(axis,),
        keepdims=bool(c.integer("keepdims", 1)),
    )
    return cast(found, "i64")


def _running(c: Call, function: Callable[[Node, Node], Node]) -> Value:
    """The sums, or the products, of all up to each place along an axis."""
    x = c.node(0)
    axis = counted(c.whole(1)[0], x.type.rank)
    size = few(x.shape[axis])
    turned = list(range(size))[:: -1 if c.integer("reverse", 0) else 1]
    neutral = 0.0 if function is add else 1.0
    start = full(neutral, [1 if a == axis else d for a, d in enumerate(x.shape)], x.dtype)
    running = [start]
    for k in turned:
        part = slice(x, axis, k, k + 1)
        running.append(part if running[-1] is start else function(running[-1], part))
    kept = running[:-1] if c.integer("exclusive", 0) else running[1:]
    if not kept:
        return x
    return joined(kept[::-1] if c.integer("reverse", 0) else kept, axis)


def _pooled(c: Call, function: Reduce) -> Value:
    """One number a channel: of all places behind the second axis."""
    x = c.node(0)
    return function(x, range(2, x.type.rank), True)


def _top(c: Call) -> list[Value | None]:
    """The k largest along an axis, or the smallest, and their places: the first of equal ones."""
    x = c.node(0)
    axis, rank = c.axis(-1, x.type.rank), x.type.rank
    k = c.whole(1)[0] if c.has(1) else c.integer("k", 1)
    sign = 1.0 if c.integer("largest", 1) else -1.0
    left = in_floats(x) * sign
    size = numbered(x.shape[axis])
    steps = shaped(counting(size, left.dtype), along(axis, rank, size))
    values, places = [], []
    for _ in range(few(k)):
        at = first_of(left, axis)
        chosen = equal(at, 1.0)
        values.append(max(left, axes=(axis,), keepdims=True) * sign)
        places.append(sum(at * steps, axes=(axis,), keepdims=True))
        left = where(chosen, -math.inf, left)
    return [as_dtype(joined(values, axis), x.dtype), cast(joined(places, axis), "i64")]


def one_hot(places: Node, size: Dim, dtype: str, axis: int = -1) -> Node:
    """1 at each place, along a new axis, 0 elsewhere; all 0 for a place that is none."""
    axis = axis + places.type.rank + 1 if axis < 0 else axis
    steps = shaped(counting(size), along(axis, places.type.rank + 1, size))
    return cast(equal(expanded(places, [axis]), steps), dtype)


RULES: Final[Rules] = {
    "ArgMax": partial(_place, sign=1),
    "ArgMin": partial(_place, sign=-1),
    "CumProd": partial(_running, function=multiply),
    "CumSum": partial(_running, function=add),
    "GlobalAveragePool": partial(_pooled, function=_mean),
    "GlobalMaxPool": partial(_pooled, function=_max),
    "ReduceL1": partial(_reduced, function=lambda x, a, k: _sum(absolute(x), a, k)),
    "ReduceL2": partial(_reduced, function=_norm),
    "ReduceLogSum": partial(_reduced, function=lambda x, a, k: log(_sum(x, a, k))),
    "ReduceLogSumExp": partial(_reduced, function=_log_sum_exp, empty=-math.inf),
    "ReduceMax": partial(_reduced, function=_max, empty=-math.inf),
    "ReduceMean": partial(_reduced, function=_mean),
    "ReduceMin": partial(_reduced, function=_min, empty=math.inf),
    "ReduceProd": partial(_reduced, function=_product),
    "ReduceSum": partial(_reduced, function=_sum),
    "ReduceSumSquare": partial(_reduced, function=lambda x, a, k: _sum(square(x), a, k)),
    "TopK": _top,
}
