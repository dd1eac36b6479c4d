"""Exact meanings over the real numbers, in f64: what an op's kernel is to compute.

The meaning of an op is written once, in sums, products, choices and named functions. Over residues
it tells whether two graphs are the same; here the same text tells what the numbers are, with none
of the op's own kernel. The named functions are those of mathematics, by their plain formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from ..errors import NoRuleError
from ..op import Array, IntShape
from .modulus import Modulus, rounded
from .point import Point
from .residues import Number, Residues

_MODULUS: Final = Modulus(2)
"""What has no modulus carries some."""


class Reals(Residues):
    """An array of real numbers, as f64; it has no derivative."""

    __slots__ = ()

    @classmethod
    def of(cls, array: Array, dtype: str) -> Reals:
        """The numbers of an array."""
        return cls(array, dtype, _MODULUS)

    def number(self, x: Number) -> Residues:
        return self._made(rounded(x, self.dtype))

    def whole(self, count: int) -> Residues:
        return self._made(float(count))

    def __add__(self, other: Residues | Number) -> Residues:
        return self._made(self.value + self._other(other).value)

    __radd__ = __add__

    def __neg__(self) -> Residues:
        return self._made(-self.value)

    def __mul__(self, other: Residues | Number) -> Residues:
        return self._made(self.value * self._other(other).value)

    __rmul__ = __mul__

    def __truediv__(self, other: Residues | Number) -> Residues:
        return self._made(self.value / self._other(other).value)

    def __matmul__(self, other: Residues) -> Residues:
        return self._made(self.value @ other.value)

    def __pow__(self, exponent: int) -> Residues:
        return self._made(self.value**exponent)

    def __gt__(self, other: Residues | Number) -> Residues:
        return self._truth(self.value > self._other(other).value)

    def sum(self, axes: Sequence[int] | None = None, keepdims: bool = False) -> Residues:
        along = None if axes is None else tuple(axes)
        return self._made(self.value.sum(axis=along, keepdims=keepdims))

    def function(self, name: str, *others: Residues, slope: Any = None) -> Residues:
        """The function of mathematics of that name; NoRuleError where it is not known."""
        kind, _, parameter = name.rpartition(" ")
        if name in FUNCTIONS:
            return self._made(FUNCTIONS[name](self.value, *[x.value for x in others]))
        if kind in FUNCTIONS:
            return self._made(FUNCTIONS[kind](self.value, float(parameter)))
        raise NoRuleError(f"the function {name} is not known")

    def sigmoid(self) -> Residues:
        return self._made(_sigmoid(self.value))

    def function_of_rows(self, name: str) -> Residues:
        if name != "log_softmax":
            raise NoRuleError(f"the function {name} is not known")
        x = self.value - self.value.max(axis=-1, keepdims=True)
        return self._made(x - np.log(np.exp(x).sum(axis=-1, keepdims=True)))


class RealPoint(Point):
    """What an exact meaning may ask, where numbers are real."""

    def __init__(self, shape: IntShape, dtype: str, sizes: Mapping[str, int]) -> None:
        super().__init__(shape, dtype, _MODULUS, sizes, Reals)

    def numbers(self, x: Any) -> Residues:
        return Reals.of(rounded(x, self.dtype), self.dtype)

    def coins(self, name: str, seed: Residues, share: float, first: int = 0) -> Residues:
        raise NoRuleError("which are drawn is for the kernel to say")


def _sigmoid(x: Array) -> Array:
    y: Array = np.exp(-np.logaddexp(0.0, -x))
    return y


def _gaussian(x: Array) -> Array:
    y: Array = np.exp(-x * x)
    return y


def _erf(x: Array) -> Array:
    return np.fromiter(map(math.erf, x.flat), np.float64, x.size).reshape(x.shape)


def _clip_factor(squares: Array, limit: float) -> Array:
    """The factor, or minus its root, where that has not all digits in f32."""
    factor: Array = np.minimum(limit / (np.sqrt(squares) + 1e-6), 1.0)
    told: Array = np.where(factor < np.finfo(np.float32).tiny, -np.sqrt(factor), factor)
    return told


def _gelu(x: Array) -> Array:
    y: Array = x * (1 + _erf(x / math.sqrt(2))) / 2
    return y


def _slope_of_gelu(x: Array) -> Array:
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    slope: Array = (1 + _erf(x / math.sqrt(2))) / 2 + x * density
    return slope


def _gelu_by_tanh(x: Array) -> Array:
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    y: Array = x * (1 + np.tanh(inner)) / 2
    return y


def _slope_of_gelu_by_tanh(x: Array) -> Array:
    tanh = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    rise = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
    slope: Array = (1 + tanh) / 2 + x * (1 - tanh * tanh) * rise / 2
    return slope


FUNCTIONS: Final[Mapping[str, Callable[..., Array]]] = {
    "clip_factor": _clip_factor,
    "cos": np.cos,
    "erf": _erf,
    "exp": np.exp,
    "floor": np.floor,
    "gaussian": _gaussian,
    "gelu exact": _gelu,
    "gelu tanh": _gelu_by_tanh,
    "log": np.log,
    "power": np.power,
    "sin": np.sin,
    "slope of gelu exact": _slope_of_gelu,
    "slope of gelu tanh": _slope_of_gelu_by_tanh,
    "softplus": lambda x: np.logaddexp(x, 0.0),
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "whole": np.trunc,
}
"""By the names that exact meanings give them; `NAME NUMBER` is NAME with a number beside."""
