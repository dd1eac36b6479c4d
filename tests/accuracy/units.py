"""Errors in units in the last place, and the largest of them."""

from __future__ import annotations

from typing import Final, NamedTuple

import mpmath as mp
import numpy as np

DTYPES: Final = {"f32": np.float32, "f64": np.float64}
PRECISION: Final = 140
"""How many bits exact values are computed to."""


class Worst(NamedTuple):
    """The largest error of an op: how many units, and of which operands."""

    units: float = 0.0
    at: str = ""
    tried: int = 0

    def joined(self, other: Worst) -> Worst:
        """The larger of two, of all that was tried."""
        return max(self, other)._replace(tried=self.tried + other.tried)


def off(dtype: str, found: float, exact: mp.mpf, least: mp.mpf) -> float:
    """By how many units in the last place of the exact value, or of `least` where that is larger,
    a result is off. An infinite one is right where the exact value is beyond the largest number.
    """
    info = np.finfo(DTYPES[dtype])
    if not np.isfinite(found):
        beyond = abs(exact) > mp.mpf(float(info.max))
        return 0.0 if beyond and found * exact > 0 else np.inf
    lowest = info.minexp - info.nmant
    size = max(abs(exact), least)
    exponent = max(mp.frexp(size)[1] - 1 - info.nmant, lowest) if size else lowest
    return float(abs(mp.mpf(found) - exact) / mp.ldexp(1, exponent))
