"""Numeric derivatives: central differences, extrapolated once, with a chosen step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

STEPS: Final = tuple([1e-3 / 4**k for k in range(6)])
"""The steps h that are tried."""


class Derivative(NamedTuple):
    """A derivative, the step that gave it, and an estimate of its own error."""

    value: float
    step: float
    error: float


def derivative(f: Callable[[float], float], steps: Sequence[float] = STEPS) -> Derivative:
    """f'(0), from f at +-h for h = 1e-3 / 4^k, three steps or more.

    D(h) = (f(h) - f(-h)) / 2h errs by O(h^2); R(h) = (16 D(h/4) - D(h)) / 15 by O(h^4)
    (Richardson). Truncation falls with h and rounding grows, so the R is taken whose neighbour,
    at h/4, disagrees with it least. What rounding alone may differ by, eps |f| / h, is added to
    each disagreement: two that are wrong by it can agree by chance.
    """
    pairs = [(f(h), f(-h)) for h in steps]
    scale = max(abs(v) for pair in pairs for v in pair)
    central = [(plus - minus) / (2 * h) for (plus, minus), h in zip(pairs, steps, strict=True)]
    refined = [(16 * fine - coarse) / 15 for coarse, fine in pairwise(central)]
    return _best(refined, steps, scale)


def one_sided(f: Callable[[float], float], side: int) -> Derivative:
    """The derivative of f at 0 to one side, 1 or -1, from f there alone.

    F(h) = (f(h) - f(0)) / h errs by O(h), and each of the two extrapolations takes one order.
    """
    start = f(0.0)
    values = [f(side * h) for h in STEPS]
    scale = max(abs(v) for v in (start, *values))
    slopes = [(v - start) / (side * h) for v, h in zip(values, STEPS, strict=True)]
    first = [(4 * fine - coarse) / 3 for coarse, fine in pairwise(slopes)]
    second = [(16 * fine - coarse) / 15 for coarse, fine in pairwise(first)]
    return _best(second, STEPS, 4 * scale)


def _best(refined: Sequence[float], steps: Sequence[float], scale: float) -> Derivative:
    """The value that its neighbour, at a smaller step, confirms best."""
    errors = [
        abs(a - b) + sys.float_info.epsilon * scale / h
        for a, b, h in zip(refined, refined[1:], steps, strict=False)
    ]
    best = min(range(len(errors)), key=lambda k: errors[k])
    return Derivative(refined[best], steps[best], errors[best])
