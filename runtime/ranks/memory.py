"""Memory that processes share: a file without a name, which is gone with the last of them."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable
from multiprocessing import reduction
from typing import Any, Final

import numpy as np

from ...graph import Array

LINE: Final = 64
"""Arrays begin at multiples of so many bytes, so that no two share a line of a cache."""


class SharedMemory:
    """It is handed to processes as they are started."""

    def __init__(self, handle: int | None = None) -> None:
        self._handle = _unnamed() if handle is None else handle

    def __reduce__(self) -> tuple[Callable[[Any], SharedMemory], tuple[Any]]:
        return _taken, (reduction.DupFd(self._handle),)

    def array(self, count: int) -> Array:
        """The first bytes, u1[count]; at least so many are there from then on."""
        length = max(1, count)
        if os.fstat(self._handle).st_size < length:
            os.ftruncate(self._handle, length)  # all ranks ask for the same
        return np.frombuffer(mmap.mmap(self._handle, length), np.uint8)[:count]

    def close(self) -> None:
        """What was mapped stays until nobody holds it."""
        os.close(self._handle)


def _taken(given: Any) -> SharedMemory:
    return SharedMemory(given.detach())


def _unnamed() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("verigrad")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
