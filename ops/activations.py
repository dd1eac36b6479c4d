"""Activations beside relu, tanh and sigmoid; gradients read the result where it tells enough."""

from __future__ import annotations

import math
from typing import ClassVar, Final, Literal

import numpy as np

from ..graph import TRANSCENDENTAL, Array, GraphError, IntShape, Node, TensorType, apply, op
from .comparison import greater, where
from .elementwise import Unary, unary
from .erf import Erf, erf, erf_into, erf_scratch
from .pointwise import exp, expm1, sigmoid, square, tanh

SELU_ALPHA: Final = 1.6732632423543772848170429916717
SELU_SCALE: Final = 1.0507009873554804934193349852946
_CUBE: Final = 0.044715
_ROOT: Final = math.sqrt(2 / math.pi)

Form = Literal["exact", "tanh"]


class Activation(Unary):
    """An elementwise function behind which dropout belongs."""

    activation: ClassVar[bool] = True


@op
class LeakyRelu(Activation):
    """y = x where x > 0, else slope x, for a slope above 0; the derivative at 0 is the slope."""

    name: ClassVar[str] = "leaky_relu"
    flops_per_element: ClassVar[int] = 2
    slope: float = 0.01

    def __post_init__(self) -> None:
        _check_positive(self.name, "slope", self.slope)

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (where(greater(node, 0.0), dy, dy * self.slope),)

    def kinks(self, *arrays: Array) -> Array | None:
        (x,) = arrays
        return np.greater(x, 0.0)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[0],)

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        (scaled,) = scratch
        np.multiply(x, self.slope, out=scaled)
        (np.maximum if self.slope <= 1 else np.minimum)(x, scaled, out=out)


@op
class Elu(Activation):
    """y = x where x > 0, else alpha (exp(x) - 1); the derivative at 0 is alpha, above 0.

    Source: Clevert, Unterthiner and Hochreiter 2016.
    """

    name: ClassVar[str] = "elu"
    flops_per_element: ClassVar[int] = 4 + TRANSCENDENTAL
    alpha: float = 1.0

    def __post_init__(self) -> None:
        _check_positive(self.name, "alpha", self.alpha)

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (where(greater(node, 0.0), dy, dy * (node + self.alpha)),)

    def kinks(self, *arrays: Array) -> Array | None:
        (x,) = arrays
        return np.greater(x, 0.0)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[0],)

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        _elu(x, self.alpha, out, scratch[0])


@op
class Selu(Activation):
    """y = 1.0507 x where x > 0, else 1.0507 1.6733 (exp(x) - 1); at 0 the derivative is 1.7581.

    Keeps mean 0 and variance 1 behind lecun_normal weights. Source: Klambauer et al. 2017.
    """

    name: ClassVar[str] = "selu"
    flops_per_element: ClassVar[int] = 5 + TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        below = dy * (node + SELU_SCALE * SELU_ALPHA)
        return (where(greater(node, 0.0), dy * SELU_SCALE, below),)

    def kinks(self, *arrays: Array) -> Array | None:
        (x,) = arrays
        return np.greater(x, 0.0)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[0],)

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        _elu(x, SELU_ALPHA, out, scratch[0])
        np.multiply(out, SELU_SCALE, out=out)


@op
class Gelu(Activation):
    """y = x P(Z < x) for a standard normal Z: x (1 + erf(x / sqrt 2)) / 2; NaN at -infinity.

    `form=tanh`: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, within 0.0005 of it. The
    gradient reads x, as the function is not monotonic. Source: Hendrycks and Gimpel 2016.
    """

    name: ClassVar[str] = "gelu"
    form: Form = "exact"

    def __post_init__(self) -> None:
        if self.form not in ("exact", "tanh"):
            raise GraphError(f"gelu: form is {self.form!r}, where 'exact' or 'tanh' is expected")

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        (x,) = node.inputs
        if self.form == "exact":
            below = 0.5 * (1.0 + erf(x * math.sqrt(0.5)))
            return (dy * (below + x * exp(square(x) * -0.5) * (1 / math.sqrt(2 * math.pi))),)
        t = tanh(_ROOT * (x + _CUBE * x * square(x)))
        slope = _ROOT * (1.0 + 3 * _CUBE * square(x))
        return (dy * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - square(t)) * slope),)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        (x,) = types
        return (x, *erf_scratch(x)) if self.form == "exact" else (x,)

    def flops(self, result: IntShape, *inputs: IntShape) -> int:
        inner = 1 + Erf.flops_per_element if self.form == "exact" else 5 + TRANSCENDENTAL
        return (3 + inner) * math.prod(result)

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        t = scratch[0]
        if self.form == "exact":
            np.multiply(x, math.sqrt(0.5), out=t)
            erf_into(t, t, scratch[1:])
        else:
            np.multiply(x, x, out=t)
            np.multiply(t, _CUBE, out=t)
            np.add(t, 1.0, out=t)
            np.multiply(t, x, out=t)
            np.multiply(t, _ROOT, out=t)
            np.tanh(t, out=t)
        np.add(t, 1.0, out=t)
        np.multiply(t, 0.5, out=t)
        np.multiply(t, x, out=out)


@op
class Softplus(Activation):
    """y = ln(1 + exp(x)), computed as max(x, 0) + ln(1 + exp(-|x|)), which cannot overflow."""

    name: ClassVar[str] = "softplus"
    flops_per_element: ClassVar[int] = 4 + 2 * TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (-(dy * expm1(-node)),)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[0],)

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        (t,) = scratch
        np.absolute(x, out=t)
        np.negative(t, out=t)
        np.exp(t, out=t)
        np.log1p(t, out=t)
        np.maximum(x, 0.0, out=out)
        np.add(out, t, out=out)


@op
class Silu(Activation):
    """y = x sigmoid(x), also known as swish; NaN at -infinity. The gradient reads x.

    Source: Elfwing, Uchibe and Doya 2018.
    """

    name: ClassVar[str] = "silu"
    flops_per_element: ClassVar[int] = 4 + TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        (x,) = node.inputs
        s = sigmoid(x)
        return (dy * (s + node * (1.0 - s)),)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[0],)

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        (t,) = scratch
        np.multiply(x, 0.5, out=t)
        np.tanh(t, out=t)
        np.add(t, 1.0, out=t)
        np.multiply(t, 0.5, out=t)
        np.multiply(x, t, out=out)


def _elu(x: Array, alpha: float, out: Array, t: Array) -> None:
    """out = max(x, 0) + alpha (exp(min(x, 0)) - 1)."""
    np.minimum(x, 0.0, out=t)
    np.expm1(t, out=t)
    np.multiply(t, alpha, out=t)
    np.maximum(x, 0.0, out=out)
    np.add(out, t, out=out)


def leaky_relu(x: Node, *, slope: float = 0.01, name: str | None = None) -> Node:
    """x where x > 0, else slope x, for a slope above 0."""
    return apply(LeakyRelu(slope), x, name=name)


def elu(x: Node, *, alpha: float = 1.0, name: str | None = None) -> Node:
    """x where x > 0, else alpha (exp(x) - 1), for an alpha above 0."""
    return apply(Elu(alpha), x, name=name)


def gelu(x: Node, *, form: Form = "exact", name: str | None = None) -> Node:
    """x P(Z < x) for a standard normal Z, exactly or by tanh (`form="tanh"`)."""
    return apply(Gelu(form), x, name=name)


selu = unary(Selu)
softplus = unary(Softplus)
silu = unary(Silu)


def _check_positive(kind: str, what: str, value: float) -> None:
    if isinstance(value, bool) or not (isinstance(value, (int, float)) and 0 < value < math.inf):
        raise GraphError(f"{kind}: {what} is {value!r}, where a finite number above 0 is expected")
