"""Memory that begins at a cache line."""

from __future__ import annotations

import numpy as np

from ..graph import ALIGNMENT, Array, RunError


def aligned_bytes(nbytes: int, what: str = "buffers") -> Array:
    """So many bytes, which begin at a multiple of the alignment; RunError where there are none."""
    try:
        raw = np.empty(nbytes + ALIGNMENT, np.uint8)
    except (MemoryError, ValueError, OverflowError):
        raise RunError(
            f"{what} take {nbytes:,} bytes in one piece, which this machine does not give"
        ) from None
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + nbytes]
