"""Functions of each element: arithmetic, comparisons, truths and casts."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Final

import numpy as np

from .....graph import Node
from .....ops import (
    absolute,
    add,
    cos,
    divide,
    equal,
    erf,
    exp,
    floor,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    sigmoid,
    sign,
    silu,
    sin,
    sqrt,
    square,
    subtract,
    tanh,
    where,
)
from ..call import Call, Rule, Rules
from ..tensors import NUMPY_KINDS, our_dtype
from ..values import Known, Value, Weight, sizes_node
from .parts import as_dtype, both, either, false, in_floats, number, unless
from .products import biased

Function = Callable[[Node], Node]


def operands(c: Call) -> list[Node]:
    """The inputs as nodes; a weight beside what no parameter reaches scales an input, and is kept.

    So the means and deviations that exporters write in front of a net are not trained, unless
    `trainable` says what is.
    """
    beside = [v for v in c.inputs if isinstance(v, Node)]
    scaling = (
        not c.reader.sources.is_chosen
        and bool(beside)
        and not any(c.reader.reads_parameters(n) for n in beside)
    )
    return [c.fixed(k) if scaling and isinstance(v, Weight) else c.node(k)
            for k, v in enumerate(c.inputs)]  # fmt: skip


def of_one(function: Function) -> Rule:
    """The rule of a function of one input."""
    return lambda c: function(c.node(0))


def _binary(function: Callable[[Node, Node], Node]) -> Rule:
    def rule(c: Call) -> Value:
        a, b = operands(c)
        return function(a, b)

    return rule


def _many(function: Callable[[Node, Node], Node]) -> Rule:
    return lambda c: reduce(function, operands(c))


def _add(c: Call) -> Value:
    layer = biased(c)
    return add(*operands(c)) if layer is None else layer


def _multiply(a: Node, b: Node) -> Node:
    """a b; x x is a square, and x sigmoid(x), as exporters write it, is silu."""
    if a is b and a.type.is_float:
        return square(a)
    for x, gate in ((a, b), (b, a)):
        if gate.op.name == "sigmoid" and gate.inputs[0] is x:
            return silu(x)
    return multiply(a, b)


def _mean(c: Call) -> Value:
    return reduce(add, operands(c)) * (1 / len(c.inputs))


def _divide(a: Node, b: Node) -> Node:
    """a / b; of whole numbers, what is behind the point is cut off."""
    if a.type.is_float:
        return divide(a, b)
    return as_dtype(_cut(divide(in_floats(a), in_floats(b))), a.dtype)


def _cut(x: Node) -> Node:
    return where(less(x, 0.0), _ceil(x), floor(x))


def _ceil(x: Node) -> Node:
    return negative(floor(negative(x)))


def _mod(c: Call) -> Value:
    """The rest with the sign of b, or, as C's fmod has it, that of a."""
    a, b = operands(c)
    x, y = in_floats(a), in_floats(b)
    rest = where(less(absolute(x), absolute(y)), x, x - _cut(divide(x, y)) * y)
    if not c.integer("fmod", 0):
        rest = where(less(sign(rest) * sign(y), 0.0), rest + y, rest)
    return as_dtype(rest, a.dtype)


def _power(c: Call) -> Value:
    """a to the power of b, in the dtype of a."""
    a, b = operands(c)
    exponent = c.inputs[1]
    if isinstance(exponent, Known | Weight) and exponent.array.size == 1:
        return _known_power(a, float(exponent.array.reshape(())), exponent.array.ndim)
    x = in_floats(a)
    return as_dtype(power(x, as_dtype(b, x.dtype)), a.dtype)


def _known_power(a: Node, exponent: float, rank: int) -> Node:
    if rank <= a.type.rank and a.type.is_float:
        if exponent == 2:
            return square(a)
        if exponent == 0.5:
            return sqrt(a)
        if exponent == 1:
            return a
    x = in_floats(a)
    return as_dtype(power(x, number(exponent, x)), a.dtype)


def _absolute(x: Node) -> Node:
    return absolute(x) if x.type.is_float else where(less(x, 0), negative(x), x)


def _sign(x: Node) -> Node:
    return sign(x) if x.type.is_float else as_dtype(sign(in_floats(x)), x.dtype)


def _round(x: Node) -> Node:
    """The nearest whole number; of two, the even one."""
    up = floor(x + 0.5)
    halfway = equal(up - x, 0.5)
    odd = not_equal(up, floor(up * 0.5) * 2.0)
    return where(both(halfway, odd), up - 1.0, up)


def _equal(a: Node, b: Node) -> Node:
    if a.dtype == "bool":
        return where(a, b, unless(b))
    return equal(a, b)


def _exclusive(a: Node, b: Node) -> Node:
    return where(a, unless(b), b)


def _is_infinite(c: Call) -> Value:
    x = c.node(0)
    up, down = c.integer("detect_positive", 1), c.integer("detect_negative", 1)
    above = equal(x, number(math.inf, x)) if up else both(not_equal(x, x), false())
    return either(above, equal(x, number(-math.inf, x))) if down else above


def _where(c: Call) -> Value:
    return where(*operands(c))


def _cast(c: Call) -> Value:
    return _as_type(c, c.integer("to", 1))


def _cast_like(c: Call) -> Value:
    like = c.value(1)
    if isinstance(like, Node):
        return as_dtype(c.node(0), like.dtype)
    kinds = {np.dtype(kind): number for number, kind in reversed(NUMPY_KINDS.items())}
    return _as_type(c, kinds[like.array.dtype])


def _as_type(c: Call, kind: int) -> Value:
    value = c.value(0)
    if isinstance(value, Known) and value.array.dtype.kind not in "OU" and kind in NUMPY_KINDS:
        with np.errstate(all="ignore"):
            return Known(value.array.astype(NUMPY_KINDS[kind]))
    dtype = our_dtype(kind, "what it casts to")
    if isinstance(value, Known) and value.symbolic and dtype != "bool":
        return sizes_node(value.array, dtype)
    if isinstance(value, Weight) and value.array.dtype == NUMPY_KINDS[kind]:
        return value
    return as_dtype(c.node(0), dtype)


RULES: Final[Rules] = {
    "Abs": of_one(_absolute),
    "Add": _add,
    "And": _binary(both),
    "Cast": _cast,
    "CastLike": _cast_like,
    "Ceil": of_one(_ceil),
    "Cos": of_one(cos),
    "Div": _binary(_divide),
    "Equal": _binary(_equal),
    "Erf": of_one(erf),
    "Exp": of_one(exp),
    "Floor": of_one(floor),
    "Greater": _binary(greater),
    "GreaterOrEqual": _binary(greater_equal),
    "IsInf": _is_infinite,
    "IsNaN": of_one(lambda x: not_equal(x, x)),
    "Less": _binary(less),
    "LessOrEqual": _binary(less_equal),
    "Log": of_one(log),
    "Max": _many(maximum),
    "Mean": _mean,
    "Min": _many(minimum),
    "Mod": _mod,
    "Mul": _many(_multiply),
    "Neg": of_one(negative),
    "Not": of_one(unless),
    "Or": _binary(either),
    "Pow": _power,
    "Reciprocal": of_one(lambda x: divide(1.0, x)),
    "Round": of_one(_round),
    "Sigmoid": of_one(sigmoid),
    "Sign": of_one(_sign),
    "Sin": of_one(sin),
    "Sqrt": of_one(sqrt),
    "Sub": _binary(subtract),
    "Sum": _many(add),
    "Tanh": of_one(tanh),
    "Where": _where,
    "Xor": _binary(_exclusive),
}
