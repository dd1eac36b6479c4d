"""Checksums of data sets, against going on with other data than a run began with."""

from __future__ import annotations

import zlib

import numpy as np

from .dataset import DataSet


def checksum(data: DataSet) -> str:
    """A checksum of all rows, in their order."""
    total = 0
    for name, array in sorted(data.arrays.items()):
        total = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), total)
        for start in range(0, len(array), 1024):
            total = zlib.crc32(np.ascontiguousarray(array[start : start + 1024]).data, total)
    return f"{total:08x}"
