"""Ops element by element: each as an expression of C, of one element from each input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ....graph import Node, Op
from ....ops.activations import SELU_ALPHA, SELU_SCALE
from ..own_ops import said
from .helpers import Helpers
from .numbers import TYPES, literal

Expression = Callable[["Element"], str]


class Element:
    """One element of a node's result: the dtypes, the op, and the texts of its operands."""

    def __init__(self, n: Node, operands: list[str], helpers: Helpers) -> None:
        self.op: Op = n.op
        self.dtype = n.type.dtype
        self.of = n.inputs[0].type.dtype
        self.operands = operands
        self._helpers = helpers

    def number(self, value: float) -> str:
        """A number in the dtype of the first input."""
        return literal(value, self.of)

    def attribute(self, name: str) -> str:
        """An attribute of the op that is a number."""
        return self.number(getattr(self.op, name))

    def has(self, name: str, value: str) -> bool:
        """Whether an attribute of the op is this one of its values."""
        return bool(getattr(self.op, name) == value)

    def math(self, name: str, *arguments: str) -> str:
        """A call of a function of math.h."""
        return f"{name}{'f' if self.of == 'f32' else ''}({', '.join(arguments)})"

    def helper(self, name: str, *arguments: str) -> str:
        """A call of a function of ours."""
        return f"{self._helpers.call(name, self.of)}({', '.join(arguments)})"


def has_expression(op: Op) -> bool:
    """Whether an op is an expression of one element: by the table, or by a user's own `c`."""
    return op.name in EXPRESSIONS or (op.elementwise and type(op).c is not Op.c)


def expression(n: Node, operands: list[str], helpers: Helpers) -> str:
    """The element of a node whose op is one."""
    element = Element(n, operands, helpers)
    written = EXPRESSIONS.get(n.op.name)
    return written(element) if written is not None else str(said(n, "c", element, *operands))


def _infix(sign: str) -> Expression:
    def written(e: Element) -> str:
        a, b = e.operands
        if e.of == "i64":  # NumPy's whole numbers wrap around; in C only unsigned ones may
            return f"(int64_t)((uint64_t){a} {sign} (uint64_t){b})"
        return f"{a} {sign} {b}"

    return written


def _compared(sign: str) -> Expression:
    def written(e: Element) -> str:
        a, b = e.operands
        if a == b and e.of == "i64":  # which compilers take for a mistake
            return e.helper("told", a, "1" if sign in ("==", ">=", "<=") else "0")
        return f"(uint8_t)({a} {sign} {b})"

    return written


def _function(name: str) -> Expression:
    return lambda e: e.math(name, *e.operands)


def _own(name: str) -> Expression:
    return lambda e: e.helper(name, *e.operands)


def _slope(name: str) -> Expression:
    """dy times a helper of x."""
    return lambda e: f"{e.operands[1]} * {e.helper(name, e.operands[0])}"


def _itself(e: Element) -> str:
    return e.operands[0]


def _extreme(floats: str, whole: str) -> Expression:
    return lambda e: e.helper(whole if e.of == "i64" else floats, *e.operands)


def _negative(e: Element) -> str:
    (x,) = e.operands
    return f"(int64_t)(0 - (uint64_t){x})" if e.of == "i64" else f"-{x}"


def _cast(e: Element) -> str:
    (x,) = e.operands
    if e.dtype == e.of:
        return x
    if e.dtype == "bool":
        return f"(uint8_t)({x} != 0)"
    if e.dtype == "i64" and e.of in ("f32", "f64"):
        return e.helper("to_i64", x if e.of == "f64" else f"(double){x}")
    return f"({TYPES[e.dtype]}){x}"


def _elu(e: Element) -> str:
    return e.helper("elu", e.operands[0], e.number(1.0), e.attribute("alpha"))


def _selu(e: Element) -> str:
    return e.helper("elu", e.operands[0], e.number(SELU_SCALE), e.number(SELU_SCALE * SELU_ALPHA))


def _leaky_relu(e: Element) -> str:
    (x,) = e.operands
    return f"{x} > 0 ? {x} : {x} * {e.attribute('slope')}"


def _gelu(e: Element) -> str:
    return e.helper("gelu" if e.has("form", "exact") else "gelu_by_tanh", *e.operands)


def _gelu_grad(e: Element) -> str:
    return _slope("gelu_slope" if e.has("form", "exact") else "gelu_slope_by_tanh")(e)


def _relu(e: Element) -> str:
    (x,) = e.operands
    return f"{x} <= 0 ? 0 : {x}"  # NaN stays


def _dropout(e: Element) -> str:
    (x,) = e.operands
    return x if e.has("mode", "inverted") else f"{x} * {e.attribute('keep')}"


def _times(factor: str, value: str, unless: str) -> str:
    """A product, but for a factor of 1."""
    return value if factor == unless else f"{factor} * {value}"


def _decay_add(e: Element) -> str:
    v, g = e.operands
    one = e.number(1.0)
    return f"{_times(e.attribute('decay'), v, one)} + {_times(e.attribute('scale'), g, one)}"


def _decay_add_square(e: Element) -> str:
    s, g = e.operands
    one = e.number(1.0)
    square = (
        f"{g} * {g}" if e.attribute("scale") == one else f"{e.attribute('scale')} * ({g} * {g})"
    )
    return f"{_times(e.attribute('decay'), s, one)} + {square}"


def _descend(e: Element) -> str:
    w, d, rate = e.operands
    return f"{w} - {rate} * {d}"


def _descend_scaled(e: Element) -> str:
    w, d, s, rate, eps, *kept = e.operands
    start = f"{kept[0]} * {w}" if kept else w
    return f"{start} - {rate} * ({d} / ({e.math('sqrt', s)} + {eps}))"


def _axpy(e: Element) -> str:
    y, x, alpha = e.operands
    return f"{y} + {alpha} * {x}"


EXPRESSIONS: Final[dict[str, Expression]] = {
    "absolute": _function("fabs"),
    "add": _infix("+"),
    "axpy": _axpy,
    "broadcast_to": _itself,
    "cast": _cast,
    "clip_by": _own("clip_by"),
    "copy": _itself,
    "cos": _function("cos"),
    "decay_add": _decay_add,
    "decay_add_square": _decay_add_square,
    "descend": _descend,
    "descend_scaled": _descend_scaled,
    "divide": _infix("/"),
    "dropout": _dropout,
    "elu": _elu,
    "equal": _compared("=="),
    "erf": _function("erf"),
    "exp": _function("exp"),
    "expm1": _function("expm1"),
    "floor": _function("floor"),
    "gaussian": _own("gaussian"),
    "gelu": _gelu,
    "gelu_grad": _gelu_grad,
    "greater": _compared(">"),
    "greater_equal": _compared(">="),
    "leaky_relu": _leaky_relu,
    "less": _compared("<"),
    "less_equal": _compared("<="),
    "log": _function("log"),
    "maximum": _extreme("max", "larger"),
    "minimum": _extreme("min", "smaller"),
    "multiply": _infix("*"),
    "negative": _negative,
    "not_equal": _compared("!="),
    "power": _function("pow"),
    "relu": _relu,
    "relu_grad": lambda e: f"{e.operands[0]} <= 0 ? 0 : {e.operands[1]}",
    "selu": _selu,
    "sigmoid": _own("sigmoid"),
    "sign": _own("sign"),
    "silu": lambda e: f"{e.operands[0]} * {e.helper('sigmoid', e.operands[0])}",
    "silu_grad": _slope("silu_slope"),
    "sin": _function("sin"),
    "softplus": _own("softplus"),
    "sqrt": _function("sqrt"),
    "square": lambda e: f"{e.operands[0]} * {e.operands[0]}",
    "stop_gradient": _itself,
    "subtract": _infix("-"),
    "tanh": _function("tanh"),
    "where": lambda e: "{} ? {} : {}".format(*e.operands),
}
"""By the op's name. Operands are names, elements or numbers, which need no brackets."""
