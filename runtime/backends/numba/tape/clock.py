"""The clock of native code, and the same one read by Python."""

from __future__ import annotations

import ctypes
import time
from functools import cache
from typing import Final

from .....graph import Array

_MONOTONIC: Final[int | None] = getattr(time, "CLOCK_MONOTONIC", None)


@cache
def native_clock() -> tuple[int, int]:
    """The address of `clock_gettime` and the number of its clock; zeros on a system that has
    none."""
    if _MONOTONIC is None:
        return 0, 0
    try:
        function = ctypes.CDLL(None).clock_gettime
    except (AttributeError, OSError, TypeError):
        return 0, 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0, _MONOTONIC


def seconds(noted: Array) -> float:
    """A time that the clock has noted, as seconds and nanoseconds, on the clock of `now`."""
    whole, nanoseconds = noted.tolist()
    return float(whole + 1e-9 * nanoseconds)


def now() -> float:
    """The same clock, read by Python."""
    return time.clock_gettime(_MONOTONIC) if _MONOTONIC is not None else time.perf_counter()
