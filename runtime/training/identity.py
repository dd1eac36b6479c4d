"""What a run that goes on has to agree in with the one that its checkpoint is of."""

from __future__ import annotations

import zlib

import numpy as np

from .dataset import DataSet
from .sampling import Sampler


def identity(
    sampler: str | Sampler, batch_size: int, train: DataSet, valid: DataSet | None
) -> dict[str, str | int | None]:
    """What it is trained with, by the name that an error gives it."""
    return {
        "sampler": sampler if isinstance(sampler, str) else type(sampler).__qualname__,
        "batch_size": batch_size,
        "training data": checksum(train),
        "validation data": checksum(valid) if valid is not None else None,
    }


def checksum(data: DataSet) -> str:
    """A checksum of a data set's rows, against going on with other data."""
    total = 0
    for name, array in sorted(data.arrays.items()):
        total = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), total)
        for start in range(0, len(array), 1024):
            total = zlib.crc32(np.ascontiguousarray(array[start : start + 1024]).data, total)
    return f"{total:08x}"
