"""Functions that kernels call: sums, an exponential whose loops become vectors, random words."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import float32, float64, int64, uint64

from .....graph import Array
from .....ops import clipping
from .cache import jitted
from .intrinsics import bits, high, number, plus

_LOG2_E: Final = 1.4426950408889634
_TO_WHOLE: Final = 6755399441055744.0
"""1.5 times 2^52: added to a small number, it leaves the nearest whole one in the lowest bits."""
_ONE: Final = 1023 << 52
"""The bits of 1.0, an exponent of 0."""
_EXPONENT: Final = 52
# 2^r for r from -1/2 to 1/2: the terms (r ln 2)^n / n!, off by less than 6e-9.
_C1: Final = 0.6931471805599453
_C2: Final = 0.24022650695910072
_C3: Final = 0.05550410866482158
_C4: Final = 0.009618129107628477
_C5: Final = 0.0013333558146428443
_C6: Final = 0.00015403530393381608
_C7: Final = 0.00001525273380405984
_LOWEST: Final = -110.0
_HIGHEST: Final = 90.0
"""Beyond these, e^x is 0 or infinite as an f32."""


def _exp_f32(x: Any) -> Any:
    """e^x of an f32, computed in f64 and rounded once: 2^k 2^r, with k + r = x log2(e)."""
    clamped = float64(x)
    if clamped < _LOWEST:
        clamped = _LOWEST
    if clamped > _HIGHEST:
        clamped = _HIGHEST
    z = clamped * _LOG2_E
    shifted = z + _TO_WHOLE
    r = z - (shifted - _TO_WHOLE)
    power = 1.0 + r * (_C1 + r * (_C2 + r * (_C3 + r * (_C4 + r * (_C5 + r * (_C6 + r * _C7))))))
    return float32(power * number((bits(shifted) << int64(_EXPONENT)) + int64(_ONE)))


_MULTIPLIERS: Final = 0xD2E7470EE14C6C93, 0xCA5A826395121157
_WEYL: Final = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
_ROUNDS: Final = 10


def _philox(key: Any, other_key: Any, block: Any, step: Any) -> Any:
    """The four words of a block of Philox4x64-10 with counter (0, 0, step, 0), as NumPy draws
    them: it counts up before each block.

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011.
    """
    k0, k1 = uint64(key), uint64(other_key)
    a, b, c, d = uint64(block + 1), uint64(0), uint64(step), uint64(0)
    first, second = uint64(_MULTIPLIERS[0]), uint64(_MULTIPLIERS[1])
    for _ in range(_ROUNDS):
        a, b, c, d = high(second, c) ^ b ^ k0, second * c, high(first, a) ^ d ^ k1, first * a
        k0 += uint64(_WEYL[0])
        k1 += uint64(_WEYL[1])
    return a, b, c, d


def _half(drawn: Any, k: Any) -> Any:
    """The k-th 16-bit number of four words, the lowest of the first word first."""
    return int64((drawn[k // 4] >> uint64(16 * (k % 4))) & uint64(0xFFFF))


def _row_sum(a: Any, i: Any) -> Any:
    """The sum of a row. All sums are made by these functions, each in an order of its own, so that
    they have the same bits in whatever kernel they are made."""
    row_total = a[i, 0]
    for j in range(1, a.shape[1]):
        row_total = plus(row_total, a[i, j])
    return row_total


def _total(a: Any) -> Any:
    """The sum of a vector, in f64."""
    vector_total = 0.0
    for i in range(a.shape[0]):
        vector_total = plus(vector_total, float64(a[i]))
    return vector_total


def _inner(a: Any, b: Any) -> Any:
    """The sum of a b, for vectors, in f64."""
    product = 0.0
    for i in range(a.shape[0]):
        product = plus(product, float64(a[i] * b[i]))
    return product


clip_factor = jitted(error_model="numpy")(clipping.clip_factor)
row_sum = jitted(error_model="numpy")(_row_sum)
total = jitted(error_model="numpy")(_total)
inner = jitted(error_model="numpy")(_inner)
philox = jitted()(_philox)
half = jitted()(_half)
exp_f32 = jitted(error_model="numpy")(_exp_f32)


def _each_exponential(x: Any, out: Any) -> None:
    for i in range(x.shape[0]):
        out[i] = exp_f32(x[i])


_each = jitted(error_model="numpy", nogil=True)(_each_exponential)


def exponentials(x: Array, *, out: Array) -> None:
    """out = e^x for arrays of f32 of one shape, with the bits that loops have."""
    if x.flags.c_contiguous and out.flags.c_contiguous:
        _each(x.reshape(-1), out.reshape(-1))
        return
    flat = np.empty(out.size, out.dtype)
    _each(np.ascontiguousarray(np.broadcast_to(x, out.shape)).reshape(-1), flat)
    np.copyto(out, flat.reshape(out.shape))
