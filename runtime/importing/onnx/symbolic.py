"""Arithmetic of shapes that hold symbols, as exporters write it: whole numbers and names.

What has no result among these, such as N * T, is left to the rules of nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from ....graph import Array, Dim
from .call import Call, counted
from .values import Known, UnknownError


def with_symbols(c: Call) -> Known | None:
    """The result of a node that reads an array with symbols, and nothing that a feed decides on;
    None of another one, or where it is no array of sizes."""
    if not any(isinstance(v, Known) and v.symbolic for v in c.inputs):
        return None
    if c.op not in _TABLE or not all(v is None or isinstance(v, Known) for v in c.inputs):
        return None
    try:
        return _held(np.asarray(_TABLE[c.op](c), dtype=object))
    except UnknownError:
        return None


def _held(array: Array) -> Known:
    """The array, as one of numbers or truths where it holds nothing else."""
    kinds = {type(d) for d in array.reshape(-1)}
    if kinds <= {int}:
        return Known(array.astype(np.int64))
    return Known(array.astype(np.bool_)) if kinds == {bool} else Known(array)


def _plain(array: Array) -> Array:
    return np.asarray(array.tolist(), dtype=object).reshape(array.shape)


def _each(function: Callable[[Any, Any], Any]) -> Callable[[Call], Array]:
    def rule(c: Call) -> Array:
        first, *others = [_plain(c.known(k)) for k in range(len(c.inputs))]
        for other in others:
            first = np.frompyfunc(function, 2, 1)(first, other)
        return first

    return rule


def _add(a: Dim, b: Dim) -> Dim:
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    return _other(a, b, 0)


def _subtract(a: Dim, b: Dim) -> Dim:
    if isinstance(a, int) and isinstance(b, int):
        return a - b
    return 0 if a == b else _right(a, b, 0)


def _multiply(a: Dim, b: Dim) -> Dim:
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    return 0 if 0 in (a, b) else _other(a, b, 1)


def _divide(a: Dim, b: Dim) -> Dim:
    if isinstance(a, int) and isinstance(b, int) and b:
        return int(a / b)
    return _right(a, b, 1)


def _other(a: Dim, b: Dim, neutral: int) -> Dim:
    if a == neutral:
        return b
    return _right(a, b, neutral)


def _right(a: Dim, b: Dim, neutral: int) -> Dim:
    if b != neutral:
        raise UnknownError(f"{a} and {b} make no size")
    return a


def _equal(a: Dim, b: Dim) -> bool:
    """Whether two are one; a symbol is no number below 0."""
    if type(a) is type(b) or a == b:
        if isinstance(a, str) and a != b:
            raise UnknownError(f"{a} and {b} may be equal")
        return a == b
    if (b if isinstance(b, int) else a) >= 0:  # type: ignore[operator]
        raise UnknownError(f"{a} and {b} may be equal")
    return False


def _where(c: Call) -> Array:
    condition, a, b = (c.known(k) for k in range(3))
    return np.where(condition.astype(np.bool_), _plain(a), _plain(b))


def _gather(c: Call) -> Array:
    array = c.known(0)
    taken: Array = np.take(array, c.known(1).astype(np.int64), axis=c.axis(0, array.ndim))
    return taken


def _slice(c: Call) -> Array:
    array = c.known(0)
    starts, ends = c.whole(1), c.whole(2)
    axes = c.whole(3) if c.has(3) else list(range(len(starts)))
    steps = c.whole(4) if c.has(4) else [1] * len(starts)
    cuts = [slice(None)] * array.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        cuts[counted(axis, array.ndim)] = slice(start, end, step)
    return array[tuple(cuts)]


def _concat(c: Call) -> Array:
    return np.concatenate([_plain(c.known(k)) for k in range(len(c.inputs))], c.integer("axis", 0))


def _squeeze(c: Call) -> Array:
    axes = c.axes(1)
    return np.squeeze(c.known(0), None if axes is None else tuple(axes))


def _product(c: Call) -> Array:
    result: Dim = 1
    for d in _plain(c.known(0)).reshape(-1):
        result = _multiply(result, d)
    keep = c.integer("keepdims", 1)
    return np.full((1,) * c.known(0).ndim if keep else (), result, dtype=object)


_TABLE: Final[Mapping[str, Callable[[Call], Array]]] = {
    "Add": _each(_add),
    "Cast": lambda c: _integers(c),
    "Concat": _concat,
    "Div": _each(_divide),
    "Equal": _each(_equal),
    "Gather": _gather,
    "Identity": lambda c: c.known(0),
    "Mul": _each(_multiply),
    "ReduceProd": _product,
    "Reshape": lambda c: c.known(0).reshape(c.whole(1)),
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sub": _each(_subtract),
    "Unsqueeze": lambda c: np.expand_dims(c.known(0), tuple(c.axes(1) or ())),
    "Where": _where,
}


def _integers(c: Call) -> Array:
    if c.integer("to", 0) not in (6, 7):
        raise UnknownError("a symbol is a whole number")
    return c.known(0)
