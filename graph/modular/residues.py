"""Residues: what tensors are to the ops' exact meanings, arrays of numbers modulo a prime.

Sums, products and quotients are exact here, so that two ways to compute one thing agree to the
last bit, whatever the order of their sums. What is no rational function, such as exp, is a random
one by a key: equal arguments give equal results, and different ones do not. Each carries, where it
is asked for, its derivative along one direction, by the rules of the operations here and none of
the ops' own (a dual number, as in forward-mode differentiation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

import numpy as np

from ..errors import NoRuleError
from ..op import Array, IntShape
from .arithmetic import (
    drawn,
    inverse,
    matrix_product,
    mixed,
    power,
    product,
    reduced,
    residues,
    summed,
)
from .modulus import Modulus, rounded

Tangent = Array | None
Number = float | int


class Residues:
    """An array modulo a prime, of a tensor of some dtype, and its derivative along one direction.

    `tangent` is None where the derivative is 0.
    """

    __slots__ = ("dtype", "modulus", "tangent", "value")

    def __init__(self, value: Any, dtype: str, modulus: Modulus, tangent: Tangent = None) -> None:
        self.value: Array = np.asarray(value, np.float64)
        self.dtype = dtype
        self.modulus = modulus
        self.tangent = tangent

    @property
    def shape(self) -> IntShape:
        shape: IntShape = self.value.shape
        return shape

    def _made(self, value: Any, tangent: Tangent = None) -> Residues:
        return type(self)(value, self.dtype, self.modulus, tangent)

    def number(self, x: Number) -> Residues:
        """A number, rounded to the dtype as a kernel rounds it."""
        stands = self.modulus.scalar(float(x), self.dtype)
        own = rounded(x, self.dtype)
        return self._made(residues(own, self.modulus) if stands is None else stands)

    def _other(self, x: Residues | Number) -> Residues:
        return x if isinstance(x, Residues) else self.number(x)

    def _linear(self, f: Callable[[Array], Array]) -> Residues:
        """What moves or adds elements does the same to their derivatives."""
        tangent = None if self.tangent is None else f(self.tangent)
        return self._made(f(self.value), tangent)

    # ---- arithmetic ----------------------------------------------------------------------------

    def __add__(self, other: Residues | Number) -> Residues:
        b, p = self._other(other), self.modulus
        tangent = _sum(_wide(self, b), _wide(b, self), p)
        return self._made(reduced(self.value + b.value, p), tangent)

    __radd__ = __add__

    def __neg__(self) -> Residues:
        return self._linear(lambda x: reduced(-x, self.modulus))

    def __sub__(self, other: Residues | Number) -> Residues:
        return self + -self._other(other)

    def __rsub__(self, other: Number) -> Residues:
        return self._other(other) + -self

    def __mul__(self, other: Residues | Number) -> Residues:
        b, p = self._other(other), self.modulus
        own = None if self.tangent is None else product(self.tangent, b.value, p)
        its = None if b.tangent is None else product(self.value, b.tangent, p)
        return self._made(product(self.value, b.value, p), _sum(own, its, p))

    __rmul__ = __mul__

    def __truediv__(self, other: Residues | Number) -> Residues:
        b, p = self._other(other), self.modulus
        below = inverse(b.value, p)
        y = product(self.value, below, p)
        own = None if self.tangent is None else product(self.tangent, below, p)
        if b.tangent is None:
            return self._made(y, own)
        its = reduced(-product(product(y, b.tangent, p), below, p), p)
        return self._made(y, _sum(own, its, p))

    def __rtruediv__(self, other: Number) -> Residues:
        return self._other(other) / self

    def __matmul__(self, other: Residues) -> Residues:
        p = self.modulus
        own = None if self.tangent is None else matrix_product(self.tangent, other.value, p)
        its = None if other.tangent is None else matrix_product(self.value, other.tangent, p)
        return self._made(matrix_product(self.value, other.value, p), _sum(own, its, p))

    def sum(self, axes: Sequence[int] | None = None, keepdims: bool = False) -> Residues:
        """The sum along axes; along all, unless said."""
        along = tuple(range(self.value.ndim)) if axes is None else tuple(axes)
        return self._linear(lambda x: summed(x, along, keepdims, self.modulus))

    def mean(self, axes: Sequence[int] | None = None, keepdims: bool = False) -> Residues:
        """The mean along axes; along all, unless said."""
        total = self.sum(axes, keepdims)
        if not total.value.size:
            return total
        return total / total.whole(self.value.size // total.value.size)

    def whole(self, count: int) -> Residues:
        """A whole number as it is, whatever the dtype would round it to."""
        return self._made(float(count % self.modulus))

    # ---- places --------------------------------------------------------------------------------

    @property
    def T(self) -> Residues:  # noqa: N802 - NumPy's name
        """The axes in reverse order."""
        return self._linear(np.transpose)

    def transpose(self, axes: Sequence[int]) -> Residues:
        """The axes in another order."""
        return self._linear(lambda x: x.transpose(tuple(axes)))

    def reshape(self, *shape: int) -> Residues:
        """The elements, row by row, in another shape."""
        return self._linear(lambda x: x.reshape(shape))

    def broadcast_to(self, shape: IntShape) -> Residues:
        """Repeated to a larger shape."""
        return self._linear(lambda x: np.broadcast_to(x, shape))

    def __getitem__(self, key: Any) -> Residues:
        return self._linear(lambda x: x[key])

    def put(self, key: Any, shape: IntShape) -> Residues:
        """These elements at `key` of an array of that shape, 0 elsewhere."""

        def put(x: Array) -> Array:
            whole = np.zeros(shape)
            whole[key] = x
            return whole

        return self._linear(put)

    def indices(self, count: int) -> Array:
        """The elements as NumPy's indices of `count` places: class numbers, for one."""
        places = self.value.astype(np.int64)
        if places.size and places.max() >= count:
            raise NoRuleError("class numbers that are computed have no exact meaning")
        return places

    def cast(self, dtype: str) -> Residues:
        """The same numbers in another dtype; to integers a random function, as they are cut."""
        to_float, from_float = dtype[0] == "f", self.dtype[0] == "f"
        if from_float and dtype == "i64":
            y = self.function("whole", slope=0.0)
        elif dtype == "bool":
            y = self._made(self.value != 0)
        else:
            y = self._made(self.value, self.tangent if to_float and from_float else None)
        y.dtype = dtype
        return y

    # ---- choices -------------------------------------------------------------------------------

    def _truth(self, value: Array) -> Residues:
        return type(self)(value, "bool", self.modulus)

    def __gt__(self, other: Residues | Number) -> Residues:
        """Whether the difference is among the lower half of the residues, and not 0.

        So x > 0 where -x < 0, a > b where b < a; and of small whole numbers it is the truth.
        """
        difference = (self - other).value
        return self._truth((difference > 0) & (difference < self.modulus / 2))

    def __lt__(self, other: Residues | Number) -> Residues:
        return self._other(other) > self

    def __ge__(self, other: Residues | Number) -> Residues:
        return ~(self < other)

    def __le__(self, other: Residues | Number) -> Residues:
        return ~(self > other)

    def __invert__(self) -> Residues:
        return self._truth(self.value == 0)

    def equals(self, other: Residues | Number) -> Residues:
        """Whether elements are the same."""
        return self._truth(self.value == self._other(other).value)

    def choose(self, a: Residues, b: Residues | Number) -> Residues:
        """a where this truth value holds, else b."""
        b = a._other(b)
        shape = np.broadcast_shapes(self.shape, a.shape, b.shape)
        where = self.value != 0
        tangent = None
        if a.tangent is not None or b.tangent is not None:
            sides = [np.zeros(shape) if t is None else t for t in (a.tangent, b.tangent)]
            tangent = np.where(where, *sides)
        return a._made(np.where(where, a.value, b.value), tangent)

    def max(self, axes: Sequence[int] | None = None, keepdims: bool = False) -> Residues:
        """The largest residue along axes, which is as random as any other choice of one."""
        first = self.first_max(axes)
        return (self * first).sum(axes, keepdims)

    def first_max(self, axes: Sequence[int] | None = None) -> Residues:
        """1 at the first of the largest residues along axes, else 0."""
        along = tuple(range(self.value.ndim)) if axes is None else tuple(axes)
        if not along or not self.value.size:
            return self._made(np.ones(self.shape))
        last = tuple(range(self.value.ndim - len(along), self.value.ndim))
        moved = np.moveaxis(self.value, along, last)
        rows = moved.reshape(*moved.shape[: moved.ndim - len(along)], -1)
        chosen = np.zeros(rows.shape)
        np.put_along_axis(chosen, rows.argmax(axis=-1, keepdims=True), 1.0, axis=-1)
        return self._made(np.moveaxis(chosen.reshape(moved.shape), last, along))

    # ---- functions that are no algebra -------------------------------------------------------

    def function(
        self,
        name: str,
        *others: Residues,
        slope: Callable[[Residues], Residues] | Residues | Number | None = None,
    ) -> Residues:
        """A random function of each element, and of others' elements, by its name.

        `slope` is its derivative by the first argument, or a function that gives it from the
        result; without one, and without 0 for none, the derivative is unknown.
        """
        shape = np.broadcast_shapes(self.shape, *[x.shape for x in others])
        words = np.full(shape, _key(name), np.uint64)
        for x in (self, *others):
            words = mixed(words + x.value.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
        y = self._made(drawn(words, self.modulus))
        if slope is None and any(x.tangent is not None for x in (self, *others)):
            raise NoRuleError(f"the derivative of {name} is unknown")
        if self.tangent is None or slope is None:
            return y
        return y.chain((self, slope(y) if callable(slope) else slope))

    def sigmoid(self) -> Residues:
        """The function of that name, with its symmetry: sigmoid(-x) is 1 - sigmoid(x)."""
        x = self.fixed
        y = (x > 0).choose(x.function("sigmoid"), 1 - (-x).function("sigmoid"))
        return y.chain((self, y * (1 - y)))

    def function_of_rows(self, name: str) -> Residues:
        """A random function of each element and of all others along the last axis."""
        places = np.arange(self.shape[-1], dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        words = mixed(self.value.astype(np.uint64) + mixed(places + np.uint64(_key(name))))
        rows = words.sum(axis=-1, keepdims=True, dtype=np.uint64)
        return self._made(drawn(mixed(words ^ mixed(rows)), self.modulus))

    @property
    def fixed(self) -> Residues:
        """This value, with a derivative of 0."""
        return self._made(self.value)

    def with_tangent(self, like: Residues) -> Residues:
        """This value with the derivative of another."""
        return self._made(self.value, like.tangent)

    def chain(self, *terms: tuple[Residues, Residues | Number]) -> Residues:
        """This value with the derivative by the chain rule: of arguments, each with its slope."""
        tangent: Tangent = None
        for x, slope in terms:
            if x.tangent is not None:
                rate = self._other(slope).value
                tangent = _sum(tangent, product(x.tangent, rate, self.modulus), self.modulus)
        return self._made(self.value, tangent)

    def __pow__(self, exponent: int) -> Residues:
        y = self._made(power(self.value, exponent, self.modulus))
        if self.tangent is not None and exponent:
            rate = self._made(power(self.value, exponent - 1, self.modulus)) * self.whole(exponent)
            y.tangent = product(rate.value, self.tangent, self.modulus)
        return y


def _key(name: str) -> int:
    return crc32(name.encode()) * 0x1_0000_0001


def _sum(a: Tangent, b: Tangent, p: int) -> Tangent:
    if a is None or b is None:
        return b if a is None else a
    return reduced(a + b, p)


def _wide(a: Residues, b: Residues) -> Tangent:
    """The derivative of a in the shape of a sum with b."""
    if a.tangent is None or a.shape == b.shape:
        return a.tangent
    return np.broadcast_to(a.tangent, np.broadcast_shapes(a.shape, b.shape))
