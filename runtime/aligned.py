"""Memory that begins at a cache line."""

from __future__ import annotations

import numpy as np

from ..graph import ALIGNMENT, Array


def aligned_bytes(nbytes: int) -> Array:
    """So many bytes, which begin at a multiple of the alignment."""
    raw = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + nbytes]
