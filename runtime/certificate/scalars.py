"""What the scalars of a graph stand for: decimals, and products of others that were rounded.

A pass that joins two factors multiplies them as floats, once and for all, and rounds: that is
meant, and no fault. In a field it would show. So a scalar stands for the decimal of few digits
that it is within the rounding of floats, as 0.1 and 0.001 are mostly meant; and one that is none,
but a product of others, or the sum or difference of two, as where two terms of a gradient become
one, for the product or the sum of what these stand for.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import Final

import numpy as np

from ...graph import Array, Graph
from ...graph.modular.modulus import rounded

_DIGITS: Final = 4
"""A decimal of up to so many digits is what was meant."""
_MOST: Final = 40
"""Of so many scalars, products are looked for."""
_ROUNDING: Final = {"f32": 4 * 2.0**-23, "f64": 4 * 2.0**-52}
"""By how much a product of three may be off, relatively."""


class Scalars:
    """The scalars of graphs, each with the factors that it stands for."""

    def __init__(self, g: Graph) -> None:
        self._factors: dict[float, tuple[Fraction, ...]] = {1.0: ()}
        for n in g.nodes:
            if n.type.is_float:
                for name in n.op.field_names:
                    value = getattr(n.op, name)
                    if type(value) is float:
                        self._add(value, n.type.dtype)

    def residue(self, number: float, dtype: str, modulus: int) -> Array | None:
        """What a scalar stands for modulo a prime; None for one that is not finite."""
        factors = self._add(number, dtype)
        if factors is None:
            return None
        total = -1 if number < 0 else 1
        for f in factors:
            total = total * f.numerator * pow(f.denominator, -1, modulus) % modulus
        return np.asarray(float(total % modulus))

    def _add(self, number: float, dtype: str) -> tuple[Fraction, ...] | None:
        """The factors of a scalar, which is known from now on; None for one that is not finite."""
        size = float(rounded(abs(number), dtype))
        if size not in self._factors:
            if not np.isfinite(size):
                return None
            error = _ROUNDING[dtype] * size
            near = Fraction(f"{size:.{_DIGITS - 1}e}")
            decimal = (near,) if abs(float(near) - size) <= error else None
            factors = (
                decimal or self._product(size, error) or self._sum(size, error) or (Fraction(size),)
            )
            self._factors[size] = factors
        return self._factors[size]

    def _product(self, size: float, error: float) -> tuple[Fraction, ...] | None:
        """The factors of up to three scalars whose product this one is."""
        # 1 is the first of those known: a product of two is one of three as well.
        known = np.array([*self._factors][:_MOST])
        a, b = np.triu_indices(len(known))
        with np.errstate(over="ignore", invalid="ignore"):
            found = _nearest((known[a] * known[b])[:, None] * known, size, error)
        if found is None:
            return None
        pair, third = found
        parts = (known[a[pair]], known[b[pair]], known[third])
        return tuple([f for part in parts for f in self._factors[float(part)]])

    def _sum(self, size: float, error: float) -> tuple[Fraction, ...] | None:
        """The sum of up to three scalars, of which one may be subtracted, that this one is."""
        known = np.array([0.0, *[*self._factors][:_MOST]])
        meant = [Fraction(0), *[prod(f, start=Fraction(1)) for f in self._factors.values()]]
        a, b = np.triu_indices(len(known))
        for sign, of_all in ((1, 1), (-1, 1), (-1, -1)):
            with np.errstate(over="ignore", invalid="ignore"):
                sums = of_all * ((known[a] + known[b])[:, None] + sign * known)
            found = _nearest(sums, size, error)
            if found is not None:
                pair, third = found
                return (of_all * (meant[a[pair]] + meant[b[pair]] + sign * meant[third]),)
        return None


def _nearest(found: Array, size: float, error: float) -> tuple[int, int] | None:
    """Where a matrix comes nearest to a number; None where that is not within the error."""
    off = np.abs(found - size)
    off[np.isnan(off)] = np.inf
    k = int(off.argmin())
    return divmod(k, found.shape[1]) if off.flat[k] <= error else None
