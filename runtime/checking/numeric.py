"""Numeric derivatives: differences, extrapolated, refined until their error stops falling."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

FIRST: Final = 1e-3
"""The largest step h."""
STEPS: Final = tuple([FIRST / 4**k for k in range(6)])
"""The steps h that are always tried."""
CLEARLY: Final = 10.0
"""So many times its own estimated error a difference must be off, before it contradicts."""
_SMALLEST: Final = 1e-24
_RUNG: Final = 4.0 ** len(STEPS)
"""From one first step to the next, where several are tried."""
_COLUMNS: Final = 3
"""So often the differences are extrapolated."""
_PATIENCE: Final = 2
"""After so many smaller steps without a smaller error, it has stopped falling."""


class Derivative(NamedTuple):
    """A derivative, the step that gave it, and an estimate of its own error."""

    value: float
    step: float
    error: float

    def contradicts(self, a: float, size: float, tolerance: float) -> bool:
        """Whether a is off by more than the tolerance, relative to `size`, and by clearly more
        than this derivative may be."""
        if not math.isfinite(a) or not math.isfinite(self.value):
            return math.isfinite(self.value)
        gap = abs(a - self.value)
        return gap > tolerance * size and gap > CLEARLY * self.error


def derivative(f: Callable[[float], float], first: float = FIRST, noise: float = 0.0) -> Derivative:
    """f'(0), from f at +-h for h = `first`, and a quarter of that, and so on; f is exact up to its
    last place, and `noise`.

    D(h) = (f(h) - f(-h)) / 2h errs by terms of h^2, h^4, ..., which Richardson's extrapolation
    takes away one by one.
    """
    return _refined(lambda h: (f(h), f(-h), 2 * h), first, 2, noise)


def one_sided(f: Callable[[float], float], side: int, noise: float = 0.0) -> Derivative:
    """The derivative of f at 0 to one side, 1 or -1, from f there alone: (f(h) - f(0)) / h errs
    by terms of h, h^2, ...
    """
    start = f(0.0)
    return _refined(lambda h: (f(side * h), start, side * h), FIRST, 1, noise)


def elsewhere(
    f: Callable[[float], float], own: float, largest: float, tolerance: float, noise: float = 0.0
) -> Iterator[Derivative]:
    """The derivatives f'(0) with other first steps that are exact to the tolerance, finest first.

    The steps reach from what rounding leaves of the `own` value that is moved to a share of the
    `largest` one beside it: f may have its slope at 0 within far less than `FIRST` alone, as
    1 / (x + h) for a small x, or be so large that the usual steps drown in rounding.
    """
    least = max(sys.float_info.epsilon * own, sys.float_info.min) if own else _SMALLEST
    lowest = math.ceil(math.log(least / FIRST, _RUNG))
    highest = math.floor(math.log(max(largest, 1.0), _RUNG))
    for k in range(lowest, highest + 1):
        n = derivative(f, FIRST * _RUNG**k, noise) if k else None
        if n is not None and CLEARLY * n.error <= tolerance * abs(n.value):
            yield n


def _refined(
    f: Callable[[float], tuple[float, float, float]], first: float, order: int, noise: float = 0.0
) -> Derivative:
    """The best of the table of extrapolated differences (a - b) / c, for f(h) = a, b, c.

    A value's error is by how much the one of the same column at the next step differs from it,
    and what rounding alone may make of it: two that are wrong by that can agree by chance. The
    step is made smaller while that still helps, also where f is not finite at a larger one.
    """
    best = Derivative(math.nan, first, math.inf)
    row: list[float] = []
    step, since, rounding = first, 0, 0.0
    smallest = _SMALLEST * min(first / FIRST, 1.0)
    while step > smallest and (since <= _PATIENCE or step > STEPS[-1] * first / FIRST / 2):
        a, b, c = f(step)
        before, row = row, [(a - b) / c]
        if not math.isfinite(row[0]):
            before, row = [], []
        for k, coarse in enumerate(before[:_COLUMNS]):
            row.append(row[k] + (row[k] - coarse) / (4.0 ** (order * (k + 1)) - 1))
        since += math.isfinite(best.error)
        for value, finer in list(zip(before, row, strict=False))[1:]:
            error = abs(value - finer) + rounding
            if error < best.error:
                best, since = Derivative(value, 4 * step, error), 0
        rounding = 2 * (sys.float_info.epsilon * max(abs(a), abs(b)) + noise) / abs(c)
        step /= 4
    return best
