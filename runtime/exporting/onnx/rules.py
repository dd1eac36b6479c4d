"""What each op of ours is in ONNX: one table, by the name of the op.

onnxruntime has no kernels of some ops for f64, or had none until lately: of these, and of what ONNX
does not have, the formulas are in `formulas`, in ordinary ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ....graph import Graph, Node, Op, RunError, VerigradError
from ..own_ops import said
from . import formulas, masks, places
from .builder import Builder, Value

_FIX: Final = (
    "give the op a method that makes it of them, `def onnx(self, at, x): return at.op('Tanh', x)`"
)
Rule = Callable[..., Value]
"""Writes the nodes of an op: `rule(at, node, *inputs)`."""


def direct(kind: str, dtype: str | None = None) -> Rule:
    """An op that ONNX has as it is."""
    return lambda at, n, *xs: at.op(kind, *xs, dtype=dtype)


def rule_of(op: Op) -> Rule | None:
    """How an op is written: by the table, or by a method `onnx` of the user's op; None without."""
    if op.name in RULES and type(op).__module__.startswith(__name__.partition(".")[0] + "."):
        return RULES[op.name]
    return _by_its_method if type(op).onnx is not Op.onnx else None


def check_forms(g: Graph) -> None:
    """Raises RunError naming every node that has no form in ONNX, each op once."""
    missing = {n.op.name: n for n in reversed(g.order) if rule_of(n.op) is None}
    if missing:
        told = "\n  and ".join(_told(n, g.names[n]) for n in reversed(missing.values()))
        raise RunError(f"there is no op of ONNX for {told}\n  fix: {_FIX}")


def written(at: Builder, n: Node, name: str, *xs: Value) -> Value:
    """The value of a node of that name, whose nodes are written.

    Raises RunError where the `onnx` of a user's op fails, or gives something else.
    """
    rule = rule_of(n.op)
    assert rule is not None
    at.owner = name
    try:
        value = rule(at, n, *xs)
    except VerigradError as e:
        raise RunError(f"{_told(n, name)}: {e}") from None
    if not isinstance(value, Value) or value.dtype != n.dtype:
        found = value.dtype if isinstance(value, Value) else type(value).__name__
        raise RunError(
            f"{_told(n, name)}: its `onnx` gave {found}, where a value of {n.dtype} is expected"
        )
    # What is an input, or was written for another node, has a name of its own.
    return value if value.name is None and value.owner == name else at.op("Identity", value)


def _by_its_method(at: Builder, n: Node, *xs: Value) -> Value:
    """As a user's op says."""
    value: Value = said(n, "onnx", at, *xs)
    return value


def _told(n: Node, name: str) -> str:
    at = f", at {n.where.described}" if n.where is not None else ""
    return f"%{name} = {n.op.name}{at}"


# ---- linear algebra ---------------------------------------------------------------------------


def matmul(at: Builder, n: Node, a: Value, b: Value) -> Value:
    """a b, either read transposed."""
    return product(at, n.op, a, b)


def product(at: Builder, op: Any, a: Value, b: Value) -> Value:
    """a b, either read transposed, as the op says."""
    if not (op.transpose_a or op.transpose_b):
        return at.op("MatMul", a, b)
    return at.op("Gemm", a, b, transA=int(op.transpose_a), transB=int(op.transpose_b))


def gemm(at: Builder, n: Node, c: Value, a: Value, b: Value, alpha: Value, beta: Value) -> Value:
    """beta c + alpha a b."""
    return c * beta + product(at, n.op, a, b) * alpha


def linear_relu(at: Builder, n: Node, x: Value, weight: Value, bias: Value) -> Value:
    """max(x weight + bias, 0)."""
    return at.op("Relu", at.op("Gemm", x, weight, bias))


def batch_norm(at: Builder, n: Node, x: Value, *others: Value) -> Value:
    """By the running values, as in inference; an attribute of ONNX rounds eps to f32."""
    op: Any = n.op
    if n.dtype == "f32":
        return at.op("BatchNormalization", x, *others, epsilon=op.eps)
    weight, bias, mean, variance = others
    return (x - mean) / at.op("Sqrt", variance + op.eps) * weight + bias


# ---- reductions ---------------------------------------------------------------------------------


def reduced(kind: str) -> Rule:
    """A reduction along the axes of the node; along none, its input."""

    def rule(at: Builder, n: Node, x: Value) -> Value:
        op: Any = n.op
        axes = op.reduced(n.inputs[0].type)
        return at.op(kind, x, at.whole(*axes), keepdims=int(op.keepdims)) if axes else x

    return rule


def squared_norm(at: Builder, n: Node, x: Value) -> Value:
    """The sum of the squares of all elements."""
    axes = range(n.inputs[0].type.rank)
    return at.op("ReduceSumSquare", x, at.whole(*axes), keepdims=0) if axes else x * x


def batch_variance(at: Builder, n: Node, centered: Value) -> Value:
    """The mean over rows of the squares."""
    return at.op("ReduceMean", centered * centered, at.whole(0), keepdims=0)


# ---- shapes --------------------------------------------------------------------------------------


def cast(at: Builder, n: Node, x: Value) -> Value:
    """In another dtype."""
    return x.cast(n.dtype)


def dim(at: Builder, n: Node) -> Value:
    """The size of a symbol, read from an input that has it."""
    op: Any = n.op
    return at.op("Squeeze", at.size(op.symbol)).cast("f64")


def reshape(at: Builder, n: Node, x: Value) -> Value:
    """In another shape."""
    return at.reshape(x, n.shape)


def transpose(at: Builder, n: Node, x: Value) -> Value:
    """With the axes in another order."""
    op: Any = n.op
    return at.op("Transpose", x, perm=list(op.axes)) if op.axes else x


def broadcast_to(at: Builder, n: Node, x: Value) -> Value:
    """Repeated to a larger shape."""
    return at.op("Expand", x, at.shape(n.shape))


def slice(at: Builder, n: Node, x: Value) -> Value:
    """A part along an axis."""
    op: Any = n.op
    return at.op("Slice", x, at.whole(op.start), at.whole(op.stop), at.whole(op.axis))


def pad(at: Builder, n: Node, x: Value) -> Value:
    """With zeros around it along an axis."""
    op: Any = n.op
    pads = [0] * (2 * n.type.rank)
    pads[op.axis], pads[n.type.rank + op.axis] = op.before, op.after
    return at.op("Pad", x, at.whole(*pads))


def concat(at: Builder, n: Node, *xs: Value) -> Value:
    """One after another along an axis."""
    op: Any = n.op
    return at.op("Concat", *xs, axis=op.axis)


# ---- the table -----------------------------------------------------------------------------------

RULES: Final[dict[str, Rule]] = {
    # Elementwise, as they are.
    "absolute": direct("Abs"),
    "add": direct("Add"),
    "copy": direct("Identity"),
    "cos": formulas.cos,
    "divide": formulas.divide,
    "exp": direct("Exp"),
    "floor": direct("Floor"),
    "label_places": direct("Add"),
    "log": direct("Log"),
    "maximum": direct("Max"),
    "minimum": direct("Min"),
    "multiply": direct("Mul"),
    "negative": direct("Neg"),
    "power": direct("Pow"),
    "relu": direct("Relu"),
    "sigmoid": direct("Sigmoid"),
    "sign": direct("Sign"),
    "sin": direct("Sin"),
    "sqrt": direct("Sqrt"),
    "stop_gradient": direct("Identity"),
    "subtract": direct("Sub"),
    "tanh": direct("Tanh"),
    # Truth values.
    "equal": direct("Equal", "bool"),
    "greater": direct("Greater", "bool"),
    "greater_equal": direct("GreaterOrEqual", "bool"),
    "less": direct("Less", "bool"),
    "less_equal": direct("LessOrEqual", "bool"),
    "not_equal": formulas.not_equal,
    "where": formulas.where,
    # Elementwise, by a formula, or in f64 by one.
    "elu": formulas.elu,
    "erf": formulas.erf,
    "expm1": formulas.expm1,
    "gaussian": formulas.gaussian,
    "gelu": formulas.gelu,
    "gelu_grad": formulas.gelu_grad,
    "leaky_relu": formulas.leaky_relu,
    "relu_grad": formulas.relu_grad,
    "selu": formulas.selu,
    "silu": formulas.silu,
    "silu_grad": formulas.silu_grad,
    "softplus": formulas.softplus,
    "square": formulas.square,
    # Layers and their losses.
    "batch_norm": batch_norm,
    "batch_variance": batch_variance,
    "gemm": gemm,
    "linear": direct("Gemm"),
    "linear_relu": linear_relu,
    "log_softmax": direct("LogSoftmax"),
    "matmul": matmul,
    "nll": places.nll,
    "nll_at": places.nll_at,
    "nll_grad": places.nll_grad,
    "row_starts": places.row_starts,
    "softmax_nll_grad": places.softmax_nll_grad,
    # Dropout.
    "dropout": masks.dropout,
    "dropout_mask": masks.dropout_mask,
    # Reductions.
    "first_max": places.first_max,
    "max": reduced("ReduceMax"),
    "mean": reduced("ReduceMean"),
    "squared_norm": squared_norm,
    "sum": reduced("ReduceSum"),
    # Shapes.
    "broadcast_to": broadcast_to,
    "cast": cast,
    "concat": concat,
    "dim": dim,
    "pad": pad,
    "reshape": reshape,
    "slice": slice,
    "transpose": transpose,
    # Updates.
    "axpy": formulas.axpy,
    "clip_by": formulas.clip_by,
    "clip_factor": formulas.clip_factor,
    "decay_add": formulas.decay_add,
    "decay_add_square": formulas.decay_add_square,
    "descend": formulas.descend,
    "descend_scaled": formulas.descend_scaled,
}
