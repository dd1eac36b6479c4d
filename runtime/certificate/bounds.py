"""How far rounding may take a tensor, and how far one is off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from ...graph import SETTINGS, Array, Graph, Node, compute

MULTIPLE: Final = 64
"""So many times as far may a compiled tensor be off as rounding takes the interpreter's."""
_RUNS: Final = 4

Values = Mapping[str, Array]


def eps_of(a: Array) -> float:
    """The distance from 1 to the next number of a tensor's dtype; 0 of whole numbers."""
    return float(np.finfo(a.dtype).eps) if a.dtype.kind == "f" else 0.0


def nudged(a: Array, by: float, rng: np.random.Generator) -> Array:
    """A tensor as rounding might have made it: each element up or down by a share of it, so that
    0 stays 0, and so do signs; whole numbers as they are."""
    if a.dtype.kind != "f":
        return a
    moved: Array = a * (1 + by * rng.choice((-1.0, 1.0), a.shape))
    return moved


def bound_of(due: Array, rounded: Array, beside: float = 0.0) -> float:
    """How far rounding may take a tensor that is `due` in f64; one that may cancel is rounded as
    what is `beside` it, of that norm."""
    if due.dtype.kind != "f":
        return 0.0
    unit = norm(rounded - due)
    return MULTIPLE * max(unit, eps_of(rounded) * max(norm(due), beside))


def off(actual: Array, due: Array, bound: float) -> tuple[float, str]:
    """How far a tensor is off, as a part of its bound; in words where that is too far."""
    if actual.dtype.kind != "f":
        equal = np.array_equal(actual, due)
        return (0.0, "") if equal else (np.inf, "is another whole number than it should be")
    far = norm(actual - due)
    if far <= bound < np.inf:
        return (far / bound if far else 0.0), ""
    place = np.unravel_index(int(np.abs(actual - due).argmax()), due.shape) if due.ndim else ()
    at = f" at [{', '.join(str(int(i)) for i in place)}]" if due.ndim else ""
    words = (
        f"is off by {far:.2g} in norm, where rounding allows {bound:.2g};{at} it is "
        f"{float(actual[place]):.9g}, and {float(due[place]):.9g} in f64"
    )
    return far / bound if bound else np.inf, words


def scatter(
    g: Graph, exactly: Values, rounded: Values, sizes: Mapping[str, int]
) -> dict[str, float]:
    """How far rounding may take each result of a graph that it took so far in some runs, in each of
    which all results are moved at random by a last place of the dtype that they have when rounded
    (Parker, Monte Carlo Arithmetic, 1997).

    A sum that happens to be exact in one order need not be in another: as where numbers cancel in
    pairs, in the gradient of a bias in front of a batch normalization.
    """
    farthest = dict.fromkeys(g.names.values(), 0.0)
    for number in range(_RUNS):
        rng = np.random.default_rng(number)
        values: dict[Node, Array] = {n: exactly[g.names[n]] for n in g.sources}
        for n in g.order:
            name = g.names[n]
            with SETTINGS:
                y = compute(n, [values[i] for i in n.inputs], sizes)
            values[n] = nudged(y, eps_of(rounded[name]), rng)
            if n.type.is_float:
                far = MULTIPLE * norm(values[n] - exactly[name])
                farthest[name] = max(farthest[name], far if np.isfinite(far) else 0.0)
    return farthest


def norm(a: Array) -> float:
    """The root of the sum of all squares; infinite where that overflows."""
    with np.errstate(over="ignore"):
        return float(np.linalg.norm(a.reshape(-1)))
