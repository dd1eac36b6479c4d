"""Arithmetic modulo a prime on arrays of f64, whose elements are whole numbers from 0 to p - 1.

A prime below 2^26 makes the product of two of them an exact f64, so that NumPy's loops and its
BLAS can be used as they are: no intermediate result here is ever rounded.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ..op import Array

PRIMES: Final = (67_108_859, 67_108_837)
"""The two largest below 2^26."""
_HALF: Final = 1 << 13
"""A factor of a matrix product is cut at these bits: high _HALF + low, both below _HALF."""
_INNER: Final = 1 << 12
"""So many products of a half and a residue, below 2^39 each, have an exact sum."""
_SMALL: Final = 512
"""Below so many elements, one call of NumPy's slow loop takes less time than five of fast ones."""

_PIECE: Final = 1 << 14
"""So many elements are drawn at a time, in the caches."""


def reduced(x: Array, p: int) -> Array:
    """x modulo p, for whole numbers of up to 2^52 and any sign; `x` may be overwritten."""
    if x.size < _SMALL:
        return np.asarray(x % p)
    quotient = x * (1 / p)
    np.floor(quotient, out=quotient)
    quotient *= p
    x -= quotient
    # The quotient is rounded: now and then it is off by one.
    if x.min() < 0:
        x[x < 0] += p
    if x.max() >= p:
        x[x >= p] -= p
    return x


def product(a: Array, b: Array, p: int) -> Array:
    """a b, element by element."""
    return reduced(a * b, p)


def matrix_product(a: Array, b: Array, p: int) -> Array:
    """a b, for matrices."""
    total: Array | None = None
    for start in range(0, max(a.shape[1], 1), _INNER):
        left, right = a[:, start : start + _INNER], b[start : start + _INNER]
        high = np.floor(left / _HALF)
        upper = reduced(high @ right, p)
        upper *= _HALF
        upper += (left - high * _HALF) @ right
        part = reduced(upper, p)
        total = part if total is None else reduced(total + part, p)
    assert total is not None
    return total


def summed(x: Array, axes: tuple[int, ...], keepdims: bool, p: int) -> Array:
    """The sum along axes, of up to 2^26 elements."""
    return reduced(np.asarray(x.sum(axis=axes, keepdims=keepdims)), p)


def inverse(x: Array, p: int) -> Array:
    """1 / x; 0 where x is 0.

    All at once with three products an element: products of pairs, of these, and so on up to a
    single number, whose inverse is taken apart again on the way back.
    """
    flat = np.where(x == 0, 1.0, x).reshape(-1)
    if not flat.size:
        return flat.reshape(x.shape)
    levels = []
    while flat.size > 1:
        if flat.size % 2:
            flat = np.append(flat, 1.0)
        levels.append(flat)
        half = flat.size // 2
        flat = product(flat[:half], flat[half:], p)
    inverses = np.array([float(pow(int(flat[0]), -1, p))])
    for level in reversed(levels):
        half = level.size // 2
        inverses = inverses[:half]
        inverses = np.concatenate(
            [product(inverses, level[half:], p), product(inverses, level[:half], p)]
        )
    result: Array = np.where(x == 0, 0.0, inverses[: x.size].reshape(x.shape))
    return result


def power(x: Array, exponent: int, p: int) -> Array:
    """x to a whole power from 0."""
    result, square = np.ones_like(x), x
    while exponent:
        if exponent % 2:
            result = product(result, square, p)
        square, exponent = product(square, square, p), exponent // 2
    return result


def residues(numbers: Array, p: int) -> Array:
    """Numbers as elements of the field: a float is a fraction with a power of 2 below it.

    What is not finite stands for itself: three numbers that no small fraction is.
    """
    if numbers.size == 1 and np.isfinite(numbers).all():
        numerator, denominator = numbers.reshape(-1)[0].item().as_integer_ratio()
        return np.full(numbers.shape, float(numerator * pow(denominator, -1, p) % p))
    if numbers.dtype.kind in "ib":
        return np.asarray(numbers.astype(np.int64) % p, np.float64)
    mantissas, exponents = np.frexp(numbers.astype(np.float64))
    finite = np.isfinite(numbers)
    whole = np.where(finite, mantissas, 0.0) * 2.0**53
    scales, places = np.unique(np.where(finite, exponents, 0) - 53, return_inverse=True)
    powers = np.array([float(pow(2, int(e), p)) for e in scales.tolist()])
    result = product(
        np.asarray(whole.astype(np.int64) % p, np.float64), powers[places.reshape(whole.shape)], p
    )
    for value, stands in ((np.inf, p // 3), (-np.inf, p - p // 3)):
        result = np.where(numbers == value, float(stands), result)
    return np.where(np.isnan(numbers), float(p // 5), result)


def mixed(words: Array) -> Array:
    """Words of u64, each shuffled so that every bit of it depends on all: splitmix64's last steps.

    Source: Steele, Lea and Flood 2014.
    """
    z = np.atleast_1d(words ^ (words >> np.uint64(30)))
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z.reshape(words.shape)


def drawn(words: Array, p: int) -> Array:
    """Elements from 1 to p - 1 that words of u64 choose."""
    numbers = np.array(words >> np.uint64(11), np.float64)
    numbers *= (p - 1) / 2.0**53
    np.floor(numbers, out=numbers)
    numbers += 1.0
    return numbers


def random_residues(key: int, places: Array, p: int) -> Array:
    """Elements from 1 to p - 1 for places, whole numbers, by a key of 64 bits."""
    result = np.empty(places.shape)
    flat, to = places.reshape(-1), result.reshape(-1)
    for start in range(0, flat.size, _PIECE):
        words = flat[start : start + _PIECE].astype(np.uint64)
        words *= np.uint64(0x9E3779B97F4A7C15)
        words += np.uint64(key)
        to[start : start + _PIECE] = drawn(mixed(words), p)
    return result
