"""Memory that begins at a cache line."""

from __future__ import annotations

from typing import Final

import numpy as np

from ..graph import Array

ALIGNMENT: Final = 64
"""Bytes that every buffer begins at a multiple of, but for those packed behind another."""


def aligned_bytes(nbytes: int) -> Array:
    """So many bytes, which begin at a multiple of the alignment."""
    raw = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + nbytes]
