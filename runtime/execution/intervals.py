"""Interval arithmetic: between which numbers a result lies, from those of what it reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from ...graph import Array, Node, Op
from ...ops import Axpy, Cast, Copy, Gemm, clip_by
from ..backends.tracing import Call, record


class Interval(NamedTuple):
    """All numbers from `low` to `high`; with an infinite end, NaN and infinity too."""

    low: float
    high: float

    @classmethod
    def of(cls, dtype: np.dtype[Any]) -> Interval:
        """The interval of what nothing but its dtype is known of."""
        return {"f": ANY, "b": TRUTH}.get(dtype.kind, WHOLE)

    @property
    def known(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)

    def meet(self, other: Interval) -> Interval:
        """What lies in both, where something does."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Interval(low, high) if low <= high else self

    def within(self, other: Interval) -> bool:
        return other.low <= self.low and self.high <= other.high


ANY: Final = Interval(-math.inf, math.inf)
TRUTH: Final = Interval(0.0, 1.0)
WHOLE: Final = Interval(-(2.0**63), 2.0**63)
_EXACT: Final = Interval(1 - 2.0**53, 2.0**53 - 1)
"""The whole numbers of which a float holds each; among larger ones i64 may wrap around, too."""
MOST_TERMS: Final = 2.0**31
"""More terms than any matrix product here sums for an element."""
_LIMITS: Final = {
    np.dtype(t): (float(np.finfo(t).tiny), float(np.finfo(t).max)) for t in ("f4", "f8")
}
"""The least number of a dtype that has all its digits, and the largest."""
_ROUNDED: Final = 2.0**-20
"""More than the relative error of any of the calls below, in f32 too."""

_Rule = Callable[..., Interval]
_Slot = int | Interval
"""Where a call finds an interval: the number of an array, or the interval of a constant."""


class _Step(NamedTuple):
    """One NumPy call of a kernel: how its result's interval comes from those that it reads."""

    rule: _Rule
    slots: tuple[_Slot, ...]
    out: int
    dtype: np.dtype[Any]


class IntervalRule:
    """Gives the interval of a node's result from those of its inputs, call by call of its kernel.

    It is ANY for a kernel that is no straight line of calls that have a rule here.
    """

    def __init__(self, n: Node) -> None:
        self._rule = _OF_OPS.get(type(n.op))
        self._dtype = n.type.numpy
        self._steps: Sequence[_Step] | None = None
        self._truth = n.type.dtype == "bool"
        self._made = [ANY] * (1 + len(n.op.scratch(*(i.type for i in n.inputs))))
        if self._rule is None and (n.op.elementwise or isinstance(n.op, (Cast, Copy))):
            self._steps = _steps(n)

    def __call__(self, *inputs: Interval) -> Interval:
        if self._truth:
            return TRUTH
        if self._rule is not None:
            return fitted(self._rule(*inputs), self._dtype) if _all_known(inputs) else ANY
        if self._steps is None:
            return ANY
        values = [*inputs, *self._made]
        for rule, slots, out, dtype in self._steps:
            operands = [values[s] if isinstance(s, int) else s for s in slots]
            values[out] = (
                fitted(rule(*operands), dtype) if _all_known(operands) else Interval.of(dtype)
            )
        return values[len(inputs)]


def fitted(r: Interval, dtype: np.dtype[Any]) -> Interval:
    """The interval in a dtype, with room for rounding; ANY where it may overflow."""
    if dtype.kind != "f":
        whole = Interval(float(np.floor(r.low)), float(np.ceil(r.high)))
        return whole if dtype.kind == "i" and whole.within(_EXACT) else Interval.of(dtype)
    least, most = _LIMITS[dtype]
    low = r.low - _ROUNDED * abs(r.low)
    high = r.high + _ROUNDED * abs(r.high)
    # What is smaller than the least number with all its digits may be rounded to 0, and not past.
    if abs(low) < least:
        low = -least if low < 0 else 0.0
    if abs(high) < least:
        high = least if high > 0 else 0.0
    return Interval(low, high) if -most < low and high < most else ANY


def _all_known(intervals: Iterable[Interval]) -> bool:
    return all(r.known for r in intervals)


def _steps(n: Node) -> list[_Step] | None:
    """The calls of an elementwise kernel, on one element; None where they cannot be told."""

    def one(node: Node) -> Array:
        return np.ones((1,) * node.type.rank, node.type.numpy)

    inputs, out = [one(i) for i in n.inputs], one(n)
    types = n.op.scratch(*(i.type for i in n.inputs))
    scratch = [np.ones((1,) * t.rank, t.numpy) for t in types]
    calls = record(_unbound(n.op), inputs, out, scratch)
    if calls is None:
        return None
    slots = {a.ctypes.data: k for k, a in enumerate([*inputs, out, *scratch])}
    steps: list[_Step] = []
    for call in calls:
        arguments, result = list(call.arguments), call.keywords.get("out")
        if call.function is np.copyto:
            result, *arguments = arguments
            if "where" in call.keywords:
                arguments += [result, call.keywords["where"]]
        rule = _RULES.get(call.function)
        if rule is None or result is None or not _is_plain(call, result.dtype):
            return None
        operands = tuple([_slot(a, slots) for a in arguments])
        if call.function is np.multiply and operands[0] == operands[1]:
            rule, operands = _square, operands[:1]
        steps.append(_Step(rule, operands, slots[result.ctypes.data], result.dtype))
    return steps


def _is_plain(call: Call, dtype: np.dtype[Any]) -> bool:
    """Whether a call writes every element, in the dtype in which it computes."""
    if not isinstance(call.function, np.ufunc):  # np.copyto
        return True
    used = call.function.resolve_dtypes((*[a.dtype for a in call.arguments], None))
    return call.keywords.keys() == {"out"} and used[-1] == dtype


def _unbound(op: Op) -> Op:
    return op.bind(dict.fromkeys(op.free_symbols(), 1))


def _slot(value: Any, slots: Mapping[int, int]) -> _Slot:
    if isinstance(value, np.ndarray) and value.ctypes.data in slots:
        return slots[value.ctypes.data]
    number = float(value)
    return Interval(number, number)


# ---- what each call does to intervals ------------------------------------------------------------


def _corners(function: Callable[[float, float], float]) -> _Rule:
    """For what is monotonic in each operand: its ends are those of the operands."""

    def rule(a: Interval, b: Interval) -> Interval:
        try:
            corners = [function(x, y) for x in a for y in b]
        except (OverflowError, ZeroDivisionError):
            return ANY
        return Interval(min(corners), max(corners))

    return rule


def _increasing(function: Callable[[float], float], least: float = -math.inf) -> _Rule:
    """For a function of one number that grows with it, and is finite from `least` on."""

    def rule(x: Interval) -> Interval:
        try:
            return Interval(function(x.low), function(x.high)) if x.low >= least else ANY
        except (OverflowError, ValueError):
            return ANY

    return rule


def _divided(a: Interval, b: Interval) -> Interval:
    return ANY if b.low <= 0 <= b.high else _QUOTIENTS(a, b)


def _power(a: Interval, b: Interval) -> Interval:
    return _POWERS(a, b) if a.low > 0 or (a.low == 0 and b.low >= 0) else ANY


def _square(x: Interval) -> Interval:
    ends = x.low * x.low, x.high * x.high
    return Interval(0.0 if x.low <= 0 <= x.high else min(ends), max(ends))


def _absolute(x: Interval) -> Interval:
    ends = abs(x.low), abs(x.high)
    return Interval(0.0 if x.low <= 0 <= x.high else min(ends), max(ends))


def _either(a: Interval, b: Interval, _: Interval = TRUTH) -> Interval:
    return Interval(min(a.low, b.low), max(a.high, b.high))


def _copied(x: Interval, *otherwise: Interval) -> Interval:
    return _either(x, *otherwise) if otherwise else x


def _gemm(c: Interval, a: Interval, b: Interval, alpha: Interval, beta: Interval) -> Interval:
    most = MOST_TERMS * max(map(abs, a)) * max(map(abs, b))
    return _SUMS(_PRODUCTS(c, beta), _PRODUCTS(Interval(-most, most), alpha))


def _axpy(y: Interval, x: Interval, alpha: Interval) -> Interval:
    return _SUMS(y, _PRODUCTS(x, alpha))


_SUMS: Final = _corners(lambda x, y: x + y)
_PRODUCTS: Final = _corners(lambda x, y: x * y)
_QUOTIENTS: Final = _corners(lambda x, y: x / y)
_POWERS: Final = _corners(lambda x, y: x**y)
_OF_OPS: Final[Mapping[type[Op], _Rule]] = {Gemm: _gemm, Axpy: _axpy}
"""The rules of what is made by the BLAS, which NumPy's calls do not show."""
_RULES: Final[Mapping[Any, _Rule]] = {
    np.copyto: _copied,
    np.add: _SUMS,
    np.subtract: _corners(lambda x, y: x - y),
    np.multiply: _PRODUCTS,
    np.divide: _divided,
    clip_by: lambda x, f: _either(_PRODUCTS(x, f), _PRODUCTS(x, _square(f))),
    np.power: _power,
    np.maximum: _corners(max),
    np.minimum: _corners(min),
    np.negative: lambda x: Interval(-x.high, -x.low),
    np.absolute: _absolute,
    np.square: _square,
    np.sqrt: _increasing(math.sqrt, 0.0),
    np.exp: _increasing(math.exp),
    np.expm1: _increasing(math.expm1),
    np.log: _increasing(math.log, float(np.finfo(np.float32).tiny)),
    np.tanh: _increasing(math.tanh),
    np.floor: _increasing(math.floor),
    np.sign: lambda _: Interval(-1.0, 1.0),
    np.cos: lambda _: Interval(-1.0, 1.0),
    np.sin: lambda _: Interval(-1.0, 1.0),
}
