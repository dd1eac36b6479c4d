"""What each op is in NumPy: an expression of its inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from ....graph import NUMPY_DTYPES, Node, Op, Shape
from ....ops.activations import SELU_ALPHA, SELU_SCALE
from ....ops.gelu import CUBIC, LINEAR
from ....ops.linear import turned
from ....ops.random import name_hash
from ..own_ops import said
from .helpers import Helpers

MEETING: Final = frozenset(
    [
        "add",
        "axpy",
        "descend",
        "descend_scaled",
        "divide",
        "equal",
        "greater",
        "greater_equal",
        "less",
        "less_equal",
        "maximum",
        "minimum",
        "multiply",
        "not_equal",
        "power",
        "subtract",
        "where",
    ]
)
"""Ops whose inputs meet each other in NumPy, so that a number takes the dtype of an array."""

Expression = Callable[["Call"], str]


class Call:
    """A node, the texts of its inputs, and what expressions are made with."""

    def __init__(self, n: Node, inputs: list[str], sizes: dict[str, str], helpers: Helpers) -> None:
        self.op: Any = n.op
        self.n, self.inputs, self._sizes, self._helpers = n, inputs, sizes, helpers

    def helper(self, name: str, *arguments: str) -> str:
        """A call of a function of ours."""
        return f"{self._helpers.call(name)}({', '.join(arguments)})"

    def size(self, d: int | str) -> str:
        """A dimension as the file reads it."""
        return str(d) if isinstance(d, int) else self._sizes[d]

    def shape(self, shape: Shape) -> str:
        """A shape as a tuple."""
        return f"({', '.join(map(self.size, shape))}{',' * (len(shape) == 1)})"

    def axes(self) -> str:
        """The arguments of a reduction."""
        given = [] if self.op.axes is None else [f"axis={self.op.axes!r}"]
        return ", ".join([self.inputs[0], *given, *["keepdims=True"] * self.op.keepdims])

    @property
    def kind(self) -> str:
        """The dtype of the result."""
        return dtype_text(self.n.type.dtype)


def dtype_text(dtype: str) -> str:
    """A dtype as NumPy names it."""
    name = np.dtype(NUMPY_DTYPES[dtype]).name
    return "np.bool_" if name == "bool" else f"np.{name}"


def number_text(value: Any, dtype: str) -> str:
    """A number as Python writes it; it takes the dtype of what it meets, and the same value."""
    if dtype in ("i64", "bool"):
        return repr(np.asarray(value).item())
    number = np.asarray(value).astype(NUMPY_DTYPES[dtype])[()]
    if np.isfinite(number):
        text = str(number)
        return f"({text})" if text[0] == "-" else text
    return "np.nan" if np.isnan(number) else "np.inf" if number > 0 else "(-np.inf)"


def expression(n: Node, inputs: list[str], sizes: dict[str, str], helpers: Helpers) -> str | None:
    """The expression of a node; None for an op that has none."""
    form = EXPRESSIONS.get(n.op.name)
    if form is None:
        return None if type(n.op).numpy is Op.numpy else str(said(n, "numpy", *inputs))
    call = Call(n, inputs, sizes, helpers)
    return form.format(*inputs, op=n.op) if isinstance(form, str) else form(call)


def _helper(name: str) -> Expression:
    return lambda c: c.helper(name, *c.inputs)


def _slope(name: str) -> Expression:
    """dy times a helper of x."""
    return lambda c: f"{c.inputs[1]} * {c.helper(name, c.inputs[0])}"


def _product(c: Call, a: str, b: str) -> str:
    class Turned(str):
        @property
        def T(self) -> str:  # noqa: N802 - NumPy's name
            return f"{self}.T"

    left, right = turned(c.op, Turned(a), Turned(b))
    return f"{left} @ {right}"


def _gemm(c: Call) -> str:
    before, a, b, alpha, beta = c.inputs
    return f"{beta} * {before} + {alpha} * ({_product(c, a, b)})"


def _matmul(c: Call) -> str:
    return _product(c, *c.inputs)


def _gelu(c: Call) -> str:
    if c.op.form == "exact":
        return c.helper("gelu", *c.inputs)
    (x,) = c.inputs
    return f"{x} * {c.helper('sigmoid', f'{x} * ({LINEAR!r} + {CUBIC!r} * {x} * {x})')}"


def _gelu_grad(c: Call) -> str:
    return _slope("gelu_slope" if c.op.form == "exact" else "gelu_slope_by_tanh")(c)


def _elu(c: Call) -> str:
    return c.helper("elu", c.inputs[0], "1.0", repr(c.op.alpha))


def _selu(c: Call) -> str:
    return c.helper("elu", c.inputs[0], repr(SELU_SCALE), repr(SELU_SCALE * SELU_ALPHA))


def _dropout(c: Call) -> str:
    return c.inputs[0] if c.op.mode == "inverted" else f"{c.inputs[0]} * {c.op.keep!r}"


def _dropout_mask(c: Call) -> str:
    key = f"({c.op.seed}, {name_hash(c.op.key)})"
    shape = c.shape(c.n.type.shape)
    return c.helper(
        "dropout_mask", shape, key, c.inputs[0], repr(c.op.below), repr(c.op.scale), c.kind
    )


def _decay_add(c: Call) -> str:
    v, g = c.inputs
    return f"{_times(c.op.decay, v)} + {_times(c.op.scale, g)}"


def _decay_add_square(c: Call) -> str:
    s, g = c.inputs
    return f"{_times(c.op.decay, s)} + {_times(c.op.scale, f'({g} * {g})')}"


def _times(factor: float, value: str) -> str:
    return value if factor == 1 else f"{factor!r} * {value}"


def _descend_scaled(c: Call) -> str:
    w, d, s, rate, eps, *kept = c.inputs
    start = f"{kept[0]} * {w}" if kept else w
    return f"{start} - {rate} * ({d} / (np.sqrt({s}) + {eps}))"


def _batch_norm(c: Call) -> str:
    x, weight, bias, mean, variance = c.inputs
    return f"({x} - {mean}) * ({weight} / np.sqrt({variance} + {c.op.eps!r})) + {bias}"


def _slice(c: Call) -> str:
    before = ":, " * c.op.axis
    return f"{c.inputs[0]}[{before}{c.op.start}:{c.op.stop}]"


def _first_max(c: Call) -> str:
    axes = range(c.n.type.rank) if c.op.axes is None else c.op.axes
    return c.helper("first_max", c.inputs[0], repr(tuple(axes)))


def _cast(c: Call) -> str:
    return f"np.asarray({c.inputs[0]}).astype({c.kind})"


def _nll(c: Call) -> str:
    p, labels = c.inputs
    classes = str(c.n.inputs[0].type.shape[1])
    return f"-{p}[np.arange(len({p})), {c.helper('checked', labels, classes)}]"


def _label_places(c: Call) -> str:
    return f"{c.inputs[0]} + {c.helper('checked', c.inputs[1], str(c.op.classes))}"


EXPRESSIONS: Final[dict[str, Expression | str]] = {
    "absolute": "np.abs({0})",
    "add": "{0} + {1}",
    "axpy": "{0} + {2} * {1}",
    "batch_norm": _batch_norm,
    "batch_variance": _helper("variance"),
    "broadcast_to": lambda c: f"np.broadcast_to({c.inputs[0]}, {c.shape(c.n.type.shape)})",
    "cast": _cast,
    "clip_by": _helper("clip_by"),
    "clip_factor": lambda c: c.helper("clip_factor", repr(c.op.limit), *c.inputs),
    "concat": lambda c: f"np.concatenate([{', '.join(c.inputs)}], axis={c.op.axis})",
    "copy": "{0}",
    "cos": "np.cos({0})",
    "decay_add": _decay_add,
    "decay_add_square": _decay_add_square,
    "descend": "{0} - {2} * {1}",
    "descend_scaled": _descend_scaled,
    "dim": lambda c: f"np.float64({c.size(c.op.symbol)})",
    "divide": "{0} / {1}",
    "dropout": _dropout,
    "dropout_mask": _dropout_mask,
    "elu": _elu,
    "equal": "np.equal({0}, {1})",
    "erf": _helper("erf"),
    "exp": "np.exp({0})",
    "expm1": "np.expm1({0})",
    "first_max": _first_max,
    "floor": "np.floor({0})",
    "gaussian": "np.exp(-{0} * {0})",
    "gelu": _gelu,
    "gelu_grad": _gelu_grad,
    "gemm": _gemm,
    "greater": "np.greater({0}, {1})",
    "greater_equal": "np.greater_equal({0}, {1})",
    "label_places": _label_places,
    "leaky_relu": "np.where({0} > 0, {0}, {0} * {op.slope!r})",
    "less": "np.less({0}, {1})",
    "less_equal": "np.less_equal({0}, {1})",
    "linear": "{0} @ {1} + {2}",
    "linear_relu": "np.maximum({0} @ {1} + {2}, 0.0)",
    "log": "np.log({0})",
    "log_softmax": _helper("log_softmax"),
    "matmul": _matmul,
    "max": lambda c: c.helper("maximum_along", c.axes()),
    "maximum": "np.maximum({0}, {1})",
    "mean": lambda c: c.helper("mean", c.axes()),
    "minimum": "np.minimum({0}, {1})",
    "multiply": "{0} * {1}",
    "negative": "-{0}",
    "nll": _nll,
    "nll_at": "-{0}.reshape(-1)[{1}]",
    "nll_grad": lambda c: c.helper("nll_grad", *c.inputs, str(c.op.classes)),
    "not_equal": "np.not_equal({0}, {1})",
    "pad": lambda c: c.helper(
        "padded", c.inputs[0], str(c.op.axis), str(c.op.before), str(c.op.after)
    ),
    "power": "np.power({0}, {1})",
    "relu": "np.maximum({0}, 0.0)",
    "relu_grad": "np.where({0} <= 0, 0.0, {1})",
    "reshape": lambda c: f"np.reshape({c.inputs[0]}, {c.shape(c.n.type.shape)})",
    "row_starts": lambda c: f"np.arange({c.size(c.op.rows)}) * {c.op.classes}",
    "selu": _selu,
    "sigmoid": _helper("sigmoid"),
    "sign": "np.sign({0})",
    "silu": lambda c: f"{c.inputs[0]} * {c.helper('sigmoid', *c.inputs)}",
    "silu_grad": _slope("silu_slope"),
    "sin": "np.sin({0})",
    "slice": _slice,
    "softmax_nll_grad": _helper("softmax_nll_grad"),
    "softplus": _helper("softplus"),
    "sqrt": "np.sqrt({0})",
    "square": "{0} * {0}",
    "squared_norm": "np.sum(np.square({0}))",
    "stop_gradient": "{0}",
    "subtract": "{0} - {1}",
    "sum": lambda c: f"np.sum({c.axes()})",
    "tanh": "np.tanh({0})",
    "transpose": lambda c: f"np.transpose({c.inputs[0]}, {c.op.axes!r})",
    "where": "np.where({0}, {1}, {2})",
}
"""By the op's name. Inputs are names or numbers, which need no brackets."""
