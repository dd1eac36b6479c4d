"""Times that a tape notes while it runs."""

from __future__ import annotations

import ctypes
import time
from functools import cache
from typing import Final

import numpy as np

from ...graph import Array
from . import driver
from .tape import Tape, Task

_MONOTONIC: Final = getattr(time, "CLOCK_MONOTONIC", None)


@cache
def _function() -> int:
    """The address of `clock_gettime`; 0 on a system that has none."""
    if _MONOTONIC is None:
        return 0
    try:
        function = ctypes.CDLL(None).clock_gettime
    except (AttributeError, OSError, TypeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def append_clock(tape: Tape) -> Array | None:
    """Puts a look at the clock on a tape, and gives the array that it is noted in; None where
    there is no clock for it."""
    if _MONOTONIC is None or not _function():
        return None
    noted = np.zeros(2, np.int64)
    tape.add([[Task(driver.CLOCK, _function(), (_MONOTONIC, noted))]])
    return noted


def seconds(noted: Array) -> float:
    """When it was, on the clock of `now`."""
    whole, nanoseconds = noted.tolist()
    return float(whole + 1e-9 * nanoseconds)


def now() -> float:
    """The same clock, read by Python."""
    return time.clock_gettime(_MONOTONIC) if _MONOTONIC is not None else time.perf_counter()
