"""Activations that are linear above 0, beside relu; gradients read the result.

Results and slopes are exact to 4 units in the last place, unless the docstring says otherwise.
"""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from ..graph import (
    TRANSCENDENTAL,
    Array,
    GraphError,
    Node,
    Point,
    Residues,
    TensorType,
    apply,
    is_number,
    op,
    shown,
)
from .comparison import greater, where
from .elementwise import Unary, unary
from .pointwise import expm1

SELU_ALPHA: Final = 1.6732632423543772848170429916717
SELU_SCALE: Final = 1.0507009873554804934193349852946


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

    def exact(self, at: Point, x: Residues) -> Residues:
        y = (x > 0).choose(x, x * self.slope).fixed
        return y.chain((x, (y > 0).choose(at.numbers(1), self.slope)))

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        (scaled,) = scratch
        np.multiply(x, self.slope, out=scaled)
        (np.maximum if self.slope <= 1 else np.minimum)(x, scaled, out=out)


@op
class Elu(Activation):
    """y = x where x > 0, else alpha (exp(x) - 1); the derivative at 0 is alpha, above 0.

    The slope below 0, y + alpha, reads the result, so that x need not be kept, and is exact to 4
    units in the last place of alpha. Source: Clevert, Unterthiner and Hochreiter 2016.
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

    def exact(self, at: Point, x: Residues) -> Residues:
        y = (x > 0).choose(x, (x.fixed.function("exp") - 1) * self.alpha).fixed
        return y.chain((x, (y > 0).choose(at.numbers(1), y + self.alpha)))

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        _elu(x, 1.0, self.alpha, out, scratch[0])


@op
class Selu(Activation):
    """y = 1.0507 x where x > 0, else 1.0507 1.6733 (exp(x) - 1); at 0 the derivative is 1.7581.

    Keeps mean 0 and variance 1 behind lecun_normal weights. The slope is as exact as elu's.
    Source: Klambauer et al. 2017.
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

    def exact(self, at: Point, x: Residues) -> Residues:
        scale, below = at.numbers(SELU_SCALE), at.numbers(SELU_SCALE * SELU_ALPHA)
        y = (x > 0).choose(x * scale, (x.fixed.function("exp") - 1) * below).fixed
        return y.chain((x, (y > 0).choose(scale, y + below)))

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        _elu(x, SELU_SCALE, SELU_SCALE * SELU_ALPHA, out, scratch[0])


@op
class Softplus(Activation):
    """y = ln(1 + exp(x)), computed as max(x, 0) + ln(1 + exp(-|x|)), which cannot overflow."""

    name: ClassVar[str] = "softplus"
    flops_per_element: ClassVar[int] = 4 + 2 * TRANSCENDENTAL

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (-(dy * expm1(-node)),)

    def scratch(self, *types: TensorType) -> tuple[TensorType, ...]:
        return (types[0],)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x.function("softplus", slope=lambda y: 1 - (-y).function("exp"))

    def run(self, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
        (t,) = scratch
        np.absolute(x, out=t)
        np.negative(t, out=t)
        np.exp(t, out=t)
        np.log1p(t, out=t)
        np.maximum(x, 0.0, out=out)
        np.add(out, t, out=out)


def _elu(x: Array, scale: float, alpha: float, out: Array, t: Array) -> None:
    """out = scale max(x, 0) + alpha (exp(min(x, 0)) - 1)."""
    np.minimum(x, 0.0, out=t)
    np.expm1(t, out=t)
    np.multiply(t, alpha, out=t)
    np.maximum(x, 0.0, out=out)
    if scale != 1.0:
        np.multiply(out, scale, out=out)
    np.add(out, t, out=out)


def leaky_relu(x: Node, *, slope: float = 0.01, name: str | None = None) -> Node:
    """x where x > 0, else slope x, for a slope above 0."""
    return apply(LeakyRelu(slope), x, name=name)


def elu(x: Node, *, alpha: float = 1.0, name: str | None = None) -> Node:
    """x where x > 0, else alpha (exp(x) - 1), for an alpha above 0."""
    return apply(Elu(alpha), x, name=name)


selu = unary(Selu)
softplus = unary(Softplus)


def _check_positive(kind: str, what: str, value: float) -> None:
    if not is_number(value) or value <= 0:
        raise GraphError(
            f"{kind}: {what} is {shown(value)}, where a finite number above 0 is expected"
        )
