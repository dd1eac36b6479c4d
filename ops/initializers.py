"""How first values are made; a function of the seed and the parameter's name."""

from __future__ import annotations

import math
from typing import ClassVar, Final

import numpy as np

from ..graph import Array, GraphError, Initializer, TensorType, as_array, exactly, is_number, shown
from .random import words

_CHUNK: Final = 16_384
"""Numbers drawn at a time, so that what is computed on the way stays in the cache."""


class HeNormal(Initializer):
    """Normal, mean 0, variance 2 / fan_in, for layers before a relu (He et al. 2015)."""

    name: ClassVar[str] = "he_normal"

    def sample(self, shape: tuple[int, ...], words: Array) -> Array:
        return standard_normal(shape, words) * math.sqrt(2.0 / fan_in(shape))


class XavierNormal(Initializer):
    """Normal, mean 0, variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010)."""

    name: ClassVar[str] = "xavier_normal"

    def sample(self, shape: tuple[int, ...], words: Array) -> Array:
        return standard_normal(shape, words) * math.sqrt(2.0 / (fan_in(shape) + shape[-1]))

    def check(self, type: TensorType) -> None:
        if type.rank == 0:
            raise GraphError("xavier_normal needs a fan-in and a fan-out; a scalar has neither")


class HeUniform(Initializer):
    """Uniform on +-sqrt(6 / fan_in), variance 2 / fan_in (He et al. 2015)."""

    name: ClassVar[str] = "he_uniform"

    def sample(self, shape: tuple[int, ...], words: Array) -> Array:
        return between(shape, words, math.sqrt(6.0 / fan_in(shape)))


class XavierUniform(Initializer):
    """Uniform on +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""

    name: ClassVar[str] = "xavier_uniform"

    def sample(self, shape: tuple[int, ...], words: Array) -> Array:
        return between(shape, words, math.sqrt(6.0 / (fan_in(shape) + shape[-1])))

    def check(self, type: TensorType) -> None:
        if type.rank == 0:
            raise GraphError("xavier_uniform needs a fan-in and a fan-out; a scalar has neither")


class LecunNormal(Initializer):
    """Normal, mean 0, variance 1 / fan_in, for layers before a selu (LeCun et al. 1998)."""

    name: ClassVar[str] = "lecun_normal"

    def sample(self, shape: tuple[int, ...], words: Array) -> Array:
        return standard_normal(shape, words) * math.sqrt(1.0 / fan_in(shape))


class Normal(Initializer):
    """Normal with a mean and a standard deviation."""

    name: ClassVar[str] = "normal"
    std: float = 1.0
    mean: float = 0.0

    def __post_init__(self) -> None:
        check_finite(self.name, std=self.std, mean=self.mean)
        if self.std < 0:
            raise GraphError(f"normal: std is {self.std!r}, where 0 or more is expected")

    def sample(self, shape: tuple[int, ...], words: Array) -> Array:
        return standard_normal(shape, words) * self.std + self.mean


class Uniform(Initializer):
    """Uniform between `low` and `high`."""

    name: ClassVar[str] = "uniform"
    low: float
    high: float

    def __post_init__(self) -> None:
        check_finite(self.name, low=self.low, high=self.high)
        if self.low > self.high:
            raise GraphError(f"uniform: low is {self.low!r}, which is above high, {self.high!r}")

    def sample(self, shape: tuple[int, ...], words: Array) -> Array:
        return self.low + (self.high - self.low) * uniform(words[0::2]).reshape(shape)


class Zeros(Initializer):
    """All 0."""

    name: ClassVar[str] = "zeros"
    random: ClassVar[bool] = False

    def sample(self, shape: tuple[int, ...], words: Array) -> Array:
        return np.zeros(shape)


class ConstantInitializer(Initializer):
    """All of one value."""

    name: ClassVar[str] = "constant"
    random: ClassVar[bool] = False
    value: float

    def __post_init__(self) -> None:
        check_finite(self.name, value=self.value)

    def sample(self, shape: tuple[int, ...], words: Array) -> Array:
        return np.full(shape, float(self.value))


class Ones(Initializer):
    """All 1."""

    name: ClassVar[str] = "ones"
    random: ClassVar[bool] = False

    def sample(self, shape: tuple[int, ...], words: Array) -> Array:
        return np.ones(shape)


def first_value(init: Initializer, type: TensorType, seed: int, name: str) -> Array:
    """The first value of a parameter or state of that name and type.

    Raises GraphError where what the initializer gives is no array of numbers of that shape, or
    takes more memory than there is.
    """
    shape = type.bind({})
    size = int(np.prod(shape, dtype=np.int64))
    what = f"what the initializer {init.name} gives {name!r}"
    try:
        random_words = words(seed, name, 2 * size) if init.random else np.empty(0, np.uint64)
        drawn = as_array(init.sample(shape, random_words), what, type, name="sample")
    except MemoryError:
        raise GraphError(f"{what}, {type}, takes more memory than this machine has") from None
    if drawn.shape != shape:
        raise GraphError(
            f"the initializer {init.name} gives {name!r} {drawn.dtype}{list(drawn.shape)}, "
            f"where {type} is expected\nfix: let `sample` return an array of the shape it is given"
        )
    if not type.is_float:
        return exactly(drawn, type.dtype, what)
    return drawn.astype(np.float64, copy=False).astype(type.numpy, order="C")


def standard_normal(shape: tuple[int, ...], words: Array) -> Array:
    """Standard normal numbers by Box and Muller's method, from two words each."""
    drawn = np.empty(math.prod(shape))
    for start in range(0, drawn.size, _CHUNK):
        pairs = words[2 * start : 2 * (start + _CHUNK)]
        first, second = uniform(pairs[0::2]), uniform(pairs[1::2])
        length, angle = np.sqrt(-2.0 * np.log(first)), 2.0 * np.pi * second
        np.multiply(length, np.cos(angle), out=drawn[start : start + _CHUNK])
    return drawn.reshape(shape)


def between(shape: tuple[int, ...], words: Array, limit: float) -> Array:
    """Uniform numbers between -limit and limit, from the first word of each pair."""
    return limit * (2.0 * uniform(words[0::2]) - 1.0).reshape(shape)


def uniform(words: Array) -> Array:
    """Uniform numbers strictly between 0 and 1, from the upper 53 bits of each word."""
    return ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def fan_in(shape: tuple[int, ...]) -> int:
    """How many inputs each output reads: all but the last dimension of a weight [D,H]."""
    return max(1, math.prod(shape[:-1]) if len(shape) > 1 else math.prod(shape))


def check_finite(kind: str, **values: float) -> None:
    """Raises GraphError, naming the first value that is no finite number."""
    for name, value in values.items():
        if not is_number(value):
            raise GraphError(f"{kind}: {name} is {shown(value)}, where a finite number is expected")
