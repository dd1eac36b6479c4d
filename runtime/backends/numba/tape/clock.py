"""The clock that compiled code reads, and the same clock read by Python.

Both are `clock_gettime(CLOCK_MONOTONIC)` where the system has it, so their times can be compared.
"""

from __future__ import annotations

import ctypes
import time
from functools import cache
from typing import Final

from .....graph import Array

_MONOTONIC: Final[int | None] = getattr(time, "CLOCK_MONOTONIC", None)


@cache
def native_clock() -> tuple[int, int]:
    """The address of the C function `clock_gettime` and the number of the clock to ask it for;
    (0, 0) on a system without one."""
    if _MONOTONIC is None:
        return 0, 0
    try:
        function = ctypes.CDLL(None).clock_gettime
    except (AttributeError, OSError, TypeError):
        return 0, 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0, _MONOTONIC


def seconds(noted: Array) -> float:
    """Seconds, on the clock of `now`, from what the native clock has written: i64[2], seconds and
    nanoseconds."""
    whole, nanoseconds = noted.tolist()
    return float(whole + 1e-9 * nanoseconds)


def now() -> float:
    """Seconds on the same clock, from an arbitrary start."""
    return time.clock_gettime(_MONOTONIC) if _MONOTONIC is not None else time.perf_counter()
