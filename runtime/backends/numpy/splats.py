"""Arrays full of one number, for the NumPy functions that are slow beside a number."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from ....graph import Array
from ..tracing import Call

_LARGE: Final = 1 << 20
"""Bytes of the largest array that is held for a number."""
_LONG_ROW: Final = 256
"""Elements of a row that are worth a turn of NumPy's loop over rows."""


class Filled:
    """The arrays that the calls of a step share, one for each number and shape."""

    def __init__(self) -> None:
        self._held: dict[tuple[bytes, str, tuple[int, ...]], Array] = {}

    def spelled(self, call: Call) -> Call:
        """The call, a number in a maximum or minimum as an array full of it: NumPy uses SIMD for
        two arrays, and takes five times as long for an array and a number. Beside a large result
        it is a row, if that is long enough."""
        if call.function not in (np.maximum, np.minimum):
            return call
        out: Array = call.keywords["out"]
        shape = out.shape if out.nbytes <= _LARGE else out.shape[-1:]
        fits = math.prod(shape) * out.itemsize <= _LARGE
        if not fits or (shape != out.shape and shape[0] < _LONG_ROW):
            return call
        arguments = [self._full(a, shape) if _is_number(a) else a for a in call.arguments]
        return call._replace(arguments=tuple(arguments))

    def _full(self, number: Array, shape: tuple[int, ...]) -> Array:
        same = number.tobytes(), number.dtype.str, shape
        if same not in self._held:
            self._held[same] = np.full(shape, number)
        return self._held[same]


def _is_number(a: Any) -> bool:
    """Whether it is a number that a recording holds."""
    return isinstance(a, np.ndarray) and a.ndim == 0 and not a.flags.writeable
