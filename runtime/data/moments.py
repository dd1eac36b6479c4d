"""Mean and deviation of columns, right whatever the size of their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from ...graph import Array
from .rows import Rows, blocks

_SMALLEST: Final = -1000
"""The least power of two that a column is divided by: with less, the quotient might overflow."""

_LAST: Final = np.finfo(np.float64).eps
"""What the last bit of numbers from 1 to 2 stands for."""


class Moments(NamedTuple):
    """Of each column: its mean, its largest absolute value and its deviation, all f64[columns].

    The deviation is `relative` times `unit`, the power of two below `size`.
    """

    mean: Array
    size: Array
    relative: Array
    unit: Array


def moments(x: Array | Rows) -> Moments:
    """The moments of what the columns of x [n,columns] hold. NaN stands for a missing value, of
    which no column consists.

    Of a column that never changes, the mean is its value, and the deviation 0. Numbers are
    summed in a unit in which their squares are neither infinite nor 0.
    """
    measured = Measured(x)
    mean = measured.mean()
    variance = sum(np.square(d).sum(axis=0) for d in measured.differences(mean)) / measured.count
    return Moments(mean * measured.unit, measured.size, np.sqrt(variance), measured.unit)


class Measured:
    """The columns of x [n,columns], of which each is summed in a unit of its own: `least`, `most`,
    the largest absolute value `size` and how many values are `missing`."""

    def __init__(self, x: Array | Rows) -> None:
        self._x = x
        self.least, self.most, self.missing = _extent(x)
        self.size = np.maximum(abs(self.least), abs(self.most))
        self.unit = np.ldexp(1.0, np.maximum(np.frexp(self.size)[1], _SMALLEST) - 1)
        self.count = len(x) - self.missing

    def differences(self, centre: Array | float) -> Iterator[Array]:
        """From the centre, some rows at a time; 0 for what is missing."""
        gaps = self.missing.any()
        for block in blocks(self._x):
            d = block / self.unit - centre
            yield np.where(np.isnan(d), 0.0, d) if gaps else d

    def mean(self) -> Array:
        """The mean of each column, in its unit."""
        mean = sum(d.sum(axis=0) for d in self.differences(0.0)) / self.count
        missed = sum(d.sum(axis=0) for d in self.differences(mean)) / self.count
        mean = np.where(abs(missed) > _LAST, mean + missed, mean)  # else, it is rounding too
        found: Array = np.clip(mean, self.least / self.unit, self.most / self.unit)
        return found


def _extent(x: Array | Rows) -> tuple[Array, Array, Array]:
    """The least and the largest number of each column, f64, and how many are missing."""
    least: list[Array] = []
    most: list[Array] = []
    missing = np.zeros(x.shape[1:], np.int64)
    for block in blocks(x):
        least.append(np.fmin.reduce(block, axis=0))
        most.append(np.fmax.reduce(block, axis=0))
        if block.dtype.kind == "f" and np.isnan(block.min()):
            missing += np.isnan(block).sum(axis=0)
    lowest, highest = np.fmin.reduce(least, axis=0), np.fmax.reduce(most, axis=0)
    return lowest.astype(np.float64), highest.astype(np.float64), missing
