"""The Gaussian error linear unit, exactly and by tanh, and its gradient, which reads the input."""

from __future__ import annotations

import math
from typing import ClassVar, Final, Literal, get_args

import numpy as np

from ..graph import (
    TRANSCENDENTAL,
    Array,
    IntShape,
    Node,
    Point,
    Residues,
    TensorType,
    apply,
    check_choice,
    op,
)
from .activations import Activation
from .elementwise import Slope
from .erf import normal_tail, tail_end, times_gaussian
from .pointwise import SURE, exp, sigmoid, square

Form = Literal["exact", "tanh"]

DENSITY: Final = 1 / math.sqrt(2 * math.pi)
"""The normal density at 0."""
# By tanh: x sigmoid(v) for v = x (LINEAR + CUBIC x x), twice what tanh is given.
LINEAR: Final = 2 * math.sqrt(2 / math.pi)
CUBIC: Final = 0.044715 * LINEAR
_FAR: Final = 25.0
"""Beyond, v is so large that the slope is 0 or 1."""


@op
class Gelu(Activation):
    """y = x P(Z < x) for a standard normal Z: x (1 + erf(x / sqrt 2)) / 2.

    `form=tanh`: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, within 0.0005 of it; NaN at
    -infinity. The gradient reads x, as the function is not monotonic. Source: Hendrycks and
    Gimpel 2016.

    Exact to 6 units in the last place, for NumPy's own exp may be off by 2.5. By tanh, to
    4 (1 + v) of them for what is given to tanh, v / 2: the rounding of an exponent v is that many
    in exp(v).
    """

    name: ClassVar[str] = "gelu"
    form: Form = "exact"

    def __post_init__(self) -> None:
        _check_form(self.name, self.form)

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (apply(GeluGrad(self.form), node.inputs[0], dy),)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[0],) * (4 if self.form == "exact" else 2)

    def flops(self, result: IntShape, *inputs: IntShape) -> int:
        inner = 42 + 2 * TRANSCENDENTAL if self.form == "exact" else 8 + TRANSCENDENTAL
        return inner * math.prod(result)

    def exact(self, at: Point, x: Residues) -> Residues:
        def slope(_: Residues) -> Residues:
            return x.fixed.function(f"slope of gelu {self.form}")

        return x.function(f"gelu {self.form}", slope=slope)

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        if self.form == "tanh":
            v, t = scratch
            _by_tanh(x, v, t)
            np.minimum(v, SURE, out=v)
            np.exp(v, out=v)
            np.add(v, 1.0, out=t)
            np.divide(v, t, out=v)
            np.multiply(x, v, out=out)
            return
        a, tail, high, low = scratch
        # max(x, 0) - a P(Z > a) for a = |x|.
        np.absolute(x, out=a)
        np.minimum(a, tail_end(x), out=a)
        normal_tail(a, tail, high)
        np.multiply(tail, a, out=tail)
        times_gaussian(tail, a, 0.5, high, low)
        np.maximum(x, 0.0, out=out)
        np.subtract(out, tail, out=out)


@op
class GeluGrad(Slope):
    """dx = dy g'(x) for g = gelu{form}: P(Z < x) + x phi(x), phi the normal density, or by tanh.

    As exact as gelu, beside the sum of what is added: g' is 0 at x = -0.75, where the two cancel.
    """

    name: ClassVar[str] = "gelu_grad"
    form: Form = "exact"

    def __post_init__(self) -> None:
        _check_form(self.name, self.form)

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x, cotangent = node.inputs
        if self.form == "exact":
            bend = exp(square(x) * -0.5) * DENSITY * (2.0 - square(x))
        else:
            s, r = sigmoid(v := x * (square(x) * CUBIC + LINEAR)), sigmoid(-v)
            rise = square(x) * (3 * CUBIC) + LINEAR
            bend = s * r * (2.0 * rise + x * (x * (6 * CUBIC) + square(rise) * (r - s)))
        return dy * cotangent * bend, apply(self, x, dy)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[0],) * 4

    def flops(self, result: IntShape, *inputs: IntShape) -> int:
        inner = 46 + 2 * TRANSCENDENTAL if self.form == "exact" else 18 + TRANSCENDENTAL
        return inner * math.prod(result)

    def exact(self, at: Point, x: Residues, dy: Residues) -> Residues:
        def bend(_: Residues) -> Residues:
            z = x.fixed
            if self.form == "exact":
                return (z * z * -0.5).function("exp") * DENSITY * (2 - z * z)
            s = (z * (z * z * CUBIC + LINEAR)).sigmoid()
            rise, rest = z * z * (3 * CUBIC) + LINEAR, 1 - s
            return s * rest * (2 * rise + z * (z * (6 * CUBIC) + rise * rise * (rest - s)))

        return x.function(f"slope of gelu {self.form}", slope=bend) * dy

    def run(self, x: Array, dy: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        (_slope_by_tanh if self.form == "tanh" else _slope)(x, *scratch)
        np.multiply(scratch[0], dy, out=out)


def _slope(x: Array, slope: Array, a: Array, high: Array, low: Array) -> None:
    """slope = w for x < 0, else 1 - w, where w = P(Z > a) - a phi(a) for a = |x|."""
    np.absolute(x, out=a)
    np.minimum(a, tail_end(x), out=a)
    normal_tail(a, slope, high)
    np.multiply(a, DENSITY, out=low)
    np.subtract(slope, low, out=slope)
    times_gaussian(slope, a, 0.5, high, low)
    np.copysign(1.0, x, out=a)
    np.multiply(slope, a, out=slope)
    np.maximum(a, 0.0, out=a)
    np.subtract(a, slope, out=slope)


def _slope_by_tanh(x: Array, slope: Array, v: Array, t: Array, near: Array) -> None:
    """slope = s (1 + x v' (1 - s)) for s = sigmoid(v)."""
    np.minimum(x, _FAR, out=near)
    np.maximum(near, -_FAR, out=near)
    _by_tanh(near, v, t)
    np.minimum(v, SURE, out=v)
    np.exp(v, out=v)
    np.add(v, 1.0, out=slope)
    np.divide(1.0, slope, out=slope)
    np.multiply(v, slope, out=v)
    np.multiply(t, 3 * CUBIC, out=t)
    np.add(t, LINEAR, out=t)
    np.multiply(t, near, out=t)
    np.multiply(t, slope, out=t)
    np.add(t, 1.0, out=t)
    np.multiply(v, t, out=slope)


def _by_tanh(x: Array, v: Array, squares: Array) -> None:
    """v = twice what tanh is given, and the squares of x."""
    np.multiply(x, x, out=squares)
    np.multiply(squares, CUBIC, out=v)
    np.add(v, LINEAR, out=v)
    np.multiply(v, x, out=v)


def _check_form(kind: str, form: object) -> None:
    check_choice(f"{kind}: form", form, get_args(Form))


def gelu(x: Node, *, form: Form = "exact", name: str | None = None) -> Node:
    """x P(Z < x) for a standard normal Z, exactly or by tanh (`form="tanh"`)."""
    return apply(Gelu(form), x, name=name)
