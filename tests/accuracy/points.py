"""Numbers on which ops are tried: of all sizes, where functions bend, where rounding is hard."""

from __future__ import annotations

from typing import Final

import numpy as np

from .units import DTYPES

SWITCHES: Final = (
    0.46875, 0.75179, 1.27846, 6.0, 14.5, 25.0, 39.0, 50.0, 87.3, 88.73, 103.9, 708.4, 745.2,
)  # fmt: skip
"""Where a formula, or the sign of a slope, changes, and where exponentials leave the numbers."""

HARD: Final = (13.140256881713867, 18.237889950728743)
"""Where the slope of silu was off by more than it may be."""


def points(dtype: str, dense: int = 1) -> np.ndarray:
    """Numbers of either sign: from all binades, evenly where functions bend, and at switches.

    `dense` times as many, with neighbours of 0, 1 and the switches, halves, and subnormals.
    """
    kind = DTYPES[dtype]
    info = np.finfo(kind)
    rng = np.random.default_rng(7)
    low = np.log2(info.smallest_subnormal.astype(float) if dtype == "f32" else 5e-324)
    step = 3 if dtype == "f32" else 17
    exponents = np.repeat(np.arange(int(low), info.maxexp - 1, step), dense)
    spread = np.ldexp(rng.uniform(1, 2, len(exponents)), exponents)
    even = [rng.uniform(0, size, 150 * dense) for size in (1, 5, 20, 110, 750)]
    at = [np.nextafter(kind(s), kind(to)) for s in SWITCHES for to in (0, s, np.inf)]
    more = [*_neighbours(kind), *_awkward(kind, rng, 50 * dense)] if dense > 1 else []
    x = np.concatenate([spread, *even, at, HARD, more]).astype(kind)
    return np.concatenate([x, -x, [info.max, info.min, 0.0]]).astype(kind)


def _neighbours(kind: type[np.floating]) -> list[float]:
    """Up to 20 numbers on either side of 1 and of each switch."""
    found = []
    for center in (1.0, 0.5, 2.0, *SWITCHES):
        for towards in (0.0, np.inf):
            x = kind(center)
            for _ in range(20):
                x = np.nextafter(x, kind(towards))
                found.append(float(x))
    return found


def _awkward(kind: type[np.floating], rng: np.random.Generator, count: int) -> list[float]:
    """Halves, squares of which the root is halfway between numbers or nearly so, subnormals."""
    info = np.finfo(kind)
    halves = rng.integers(0, 2**20, count) + 0.5
    odd = 2 * rng.integers(2**10, 2 ** (info.nmant // 2), count) + 1
    nearly = [np.nextafter(kind(o) * kind(o), kind(0)) for o in odd]
    tiny = float(info.smallest_subnormal)
    low = tiny * rng.integers(1, 2 ** min(info.nmant, 40), count)
    return [*halves, *(float(v) for v in nearly), *low]


def pairs(dtype: str, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two numbers each: of any sizes, of near ones, nearly opposite, and with halfway sums."""
    kind = DTYPES[dtype]
    info = np.finfo(kind)
    pool = points(dtype, 2)
    quarter = count // 4
    a, b = rng.choice(pool, (2, count))
    near = np.ldexp(rng.uniform(-2, 2, (2, 2 * quarter)), rng.integers(-12, 12, (2, 2 * quarter)))
    a[: 2 * quarter], b[: 2 * quarter] = near.astype(kind)
    b[quarter : 2 * quarter] = np.nextafter(-a[quarter : 2 * quarter], kind(0))
    halfway = slice(2 * quarter, 3 * quarter)
    a[halfway] = 1 + rng.integers(0, 2**10, quarter) * info.eps
    b[halfway] = (2 * rng.integers(0, 2**10, quarter) + 1) * info.eps / 2
    return a, b
