"""Elementwise ops that ONNX lacks, or onnxruntime lacks for f64, as formulas of ordinary ops.

Each is the formula of the op's docstring, in the form that neither overflows nor cancels.
"""

from __future__ import annotations

import math
from typing import Any, Final

from ....graph import Node
from ....ops.activations import SELU_ALPHA, SELU_SCALE
from ....ops.clipping import LEAST, NORM_EPS, SHRINK
from ....ops.gelu import CUBIC, DENSITY, LINEAR
from ....passes.base import is_constant
from .builder import Builder, Operand, Value
from .normal import erf_in_f64

_FAR: Final = 25.0
"""Beyond, the slope of gelu by tanh is 0 or 1, and what is given to it overflows no f32."""


def not_equal(at: Builder, n: Node, a: Value, b: Value) -> Value:
    """not (a = b)."""
    return at.op("Not", at.op("Equal", a, b, dtype="bool"))


def where(at: Builder, n: Node, condition: Value, a: Value, b: Value) -> Value:
    """a where condition, else b; for truth values onnxruntime has no kernel."""
    if n.dtype != "bool":
        return at.op("Where", condition, a, b, dtype=n.dtype)
    chosen = at.op("And", at.op("Not", condition), b)
    return at.op("Or", at.op("And", condition, a), chosen)


def divide(at: Builder, n: Node, a: Value, b: Value) -> Value:
    """a / b. For 1 / b there is an op, and onnxruntime does not load x (1 / b), made of a division,
    where it takes away the node that gives x (github.com/microsoft/onnxruntime/issues/32413)."""
    numerator, denominator = n.inputs
    if n.type == denominator.type and is_constant(numerator, 1.0):
        return at.op("Reciprocal", b)
    return at.op("Div", a, b)


def square(at: Builder, n: Node, x: Value) -> Value:
    """x x."""
    return x * x


def cos(at: Builder, n: Node, x: Value) -> Value:
    """cos(x); in f64 1 - 2 sin(x / 2)^2, as rates of schedules are computed."""
    if n.dtype == "f32":
        return at.op("Cos", x)
    s = at.op("Sin", x * 0.5)
    return 1.0 - s * s * 2.0


def expm1(at: Builder, n: Node, x: Value) -> Value:
    """tanh(x / 2) (exp(x) + 1), which is as exact near 0 as tanh is."""
    return at.op("Tanh", x * 0.5) * (at.op("Exp", x) + 1.0)


# ---- activations ------------------------------------------------------------------------------


def relu_grad(at: Builder, n: Node, y: Value, dy: Value) -> Value:
    """dy where y > 0, else 0."""
    return at.where(y > 0.0, dy, 0.0)


def leaky_relu(at: Builder, n: Node, x: Value) -> Value:
    """x where x > 0, else slope x."""
    op: Any = n.op
    if n.dtype == "f32":
        return at.op("LeakyRelu", x, alpha=op.slope)
    return at.where(x > 0.0, x, x * op.slope)


def elu(at: Builder, n: Node, x: Value) -> Value:
    """x where x > 0, else alpha (exp(x) - 1)."""
    op: Any = n.op
    return at.op("Elu", x, alpha=op.alpha) if n.dtype == "f32" else _elu(at, n, x, 1.0, op.alpha)


def selu(at: Builder, n: Node, x: Value) -> Value:
    """scale elu, with its two numbers."""
    if n.dtype == "f32":
        return at.op("Selu", x)
    return _elu(at, n, x, SELU_SCALE, SELU_SCALE * SELU_ALPHA)


def _elu(at: Builder, n: Node, x: Value, scale: float, alpha: float) -> Value:
    return at.where(x > 0.0, x * scale, expm1(at, n, at.op("Min", x, 0.0)) * alpha)


def softplus(at: Builder, n: Node, x: Value) -> Value:
    """max(x, 0) + ln(1 + exp(-|x|))."""
    if n.dtype == "f32":
        return at.op("Softplus", x)
    return at.op("Max", x, 0.0) + at.op("Log", at.op("Exp", -at.op("Abs", x)) + 1.0)


def silu(at: Builder, n: Node, x: Value) -> Value:
    """x s for s = sigmoid(x); in f64, where onnxruntime makes an op of that which it lacks,
    x / (1 + exp(-x))."""
    if n.dtype == "f32":
        return x * at.op("Sigmoid", x)
    return x / (at.op("Exp", -x) + 1.0)


def silu_grad(at: Builder, n: Node, x: Value, dy: Value) -> Value:
    """dy s (1 + x (1 - s))."""
    s = at.op("Sigmoid", x)
    return dy * (s * (x * (1.0 - s) + 1.0))


# ---- of the normal distribution ------------------------------------------------------------------


def erf(at: Builder, n: Node, x: Value) -> Value:
    """The error function."""
    return at.op("Erf", x) if x.dtype == "f32" else erf_in_f64(at, x)


def gaussian(at: Builder, n: Node, x: Value) -> Value:
    """exp(-x x)."""
    return at.op("Exp", -(x * x))


def gelu(at: Builder, n: Node, x: Value) -> Value:
    """x P(Z < x), or by tanh."""
    op: Any = n.op
    if n.dtype == "f32":
        return at.op("Gelu", x, approximate="none" if op.form == "exact" else "tanh")
    if op.form == "tanh":
        return x * at.op("Sigmoid", _by_tanh(x))
    return x * _below(at, n, x)


def gelu_grad(at: Builder, n: Node, x: Value, dy: Value) -> Value:
    """dy (P(Z < x) + x phi(x)), or by tanh."""
    op: Any = n.op
    if op.form == "exact":
        return dy * (_below(at, n, x) + x * at.op("Exp", x * x * -0.5) * DENSITY)
    near = at.op("Max", at.op("Min", x, _FAR), -_FAR)
    s = at.op("Sigmoid", _by_tanh(near))
    rise = near * near * (3 * CUBIC) + LINEAR
    return dy * (s * (near * rise * (1.0 - s) + 1.0))


def _below(at: Builder, n: Node, x: Value) -> Value:
    """P(Z < x) for a standard normal Z."""
    return (erf(at, n, x * math.sqrt(0.5)) + 1.0) * 0.5


def _by_tanh(x: Value) -> Value:
    """Twice what tanh is given."""
    return x * (x * x * CUBIC + LINEAR)


# ---- updates ----------------------------------------------------------------------------------


def clip_factor(at: Builder, n: Node, *xs: Value) -> Value:
    """In f64, as the squares of an f32 cannot overflow there; those of an f64 are shrunk first
    where they do."""
    op: Any = n.op
    wide = [x.cast("f64") if x.dtype == "f32" else x for x in xs]
    norm = at.op("Sqrt", _squares(at, wide)) + NORM_EPS
    if n.dtype == "f64":
        shrunk = at.op("Sqrt", _squares(at, [x * SHRINK for x in wide])) / SHRINK
        norm = at.where(norm < math.inf, norm, shrunk)
    factor = at.op("Min", op.limit / norm, 1.0)
    root = -(at.op("Sqrt", at.number(op.limit, "f64")) / at.op("Sqrt", norm))
    return at.where(factor < LEAST, root, factor).cast(n.dtype)


def _squares(at: Builder, xs: list[Value]) -> Value:
    first, *others = [at.op("ReduceSumSquare", x, keepdims=0) for x in xs]
    for other in others:
        first = first + other
    return first


def clip_by(at: Builder, n: Node, x: Value, factor: Value) -> Value:
    """x factor, or x factor factor where that is negative."""
    clipped = x * factor
    return at.where(factor < 0.0, clipped * factor, clipped)


def decay_add(at: Builder, n: Node, v: Value, g: Value) -> Value:
    """decay v + scale g."""
    op: Any = n.op
    return _times(v, op.decay) + _times(g, op.scale)


def decay_add_square(at: Builder, n: Node, s: Value, g: Value) -> Value:
    """decay s + scale g g."""
    op: Any = n.op
    return _times(s, op.decay) + _times(g * g, op.scale)


def descend(at: Builder, n: Node, w: Value, d: Value, rate: Value) -> Value:
    """w - rate d."""
    return w - d * rate


def axpy(at: Builder, n: Node, y: Value, x: Value, alpha: Value) -> Value:
    """y + alpha x."""
    return y + x * alpha


def descend_scaled(
    at: Builder, n: Node, w: Value, d: Value, s: Value, rate: Value, eps: Value, *kept: Value
) -> Value:
    """kept w - rate d / (sqrt(s) + eps)."""
    held = w * kept[0] if kept else w
    return held - d / (at.op("Sqrt", s) + eps) * rate


def _times(x: Value, factor: Operand) -> Value:
    return x if factor == 1 else x * factor
