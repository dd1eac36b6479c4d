"""How far rounding may take a tensor, and how far one is off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from ...graph import Array, Graph, Node

MULTIPLE: Final = 64
"""So many times as far may a compiled tensor be off as rounding takes the interpreter's."""
EPS: Final = {"f32": 2.0**-23, "f64": 2.0**-52}
"""The distance from 1 to the next number, of each dtype."""


def bound_of(due: Array, rounded: Array, beside: float) -> float:
    """How far rounding may take a tensor; one that may cancel is rounded as what is `beside` it, of
    that norm."""
    if due.dtype.kind != "f":
        return 0.0
    unit = norm(rounded.astype(np.float64) - due)
    eps = EPS["f32" if rounded.dtype == np.float32 else "f64"]
    return MULTIPLE * max(unit, eps * max(norm(due), beside))


def off(actual: Array, due: Array, bound: float) -> tuple[float, str]:
    """How far a tensor is off, as a part of its bound, and in words."""
    if actual.dtype.kind != "f":
        equal = np.array_equal(actual, due)
        return (0.0 if equal else np.inf), "is another whole number than it should be"
    far = norm(actual.astype(np.float64) - due)
    if far == 0:
        return 0.0, ""
    place = np.unravel_index(int(np.abs(actual - due).argmax()), due.shape) if due.ndim else ()
    at = f" at [{', '.join(str(int(i)) for i in place)}]" if due.ndim else ""
    words = (
        f"is off by {far:.2g} in norm, where rounding allows {bound:.2g};{at} it is "
        f"{float(actual[place]):.9g}, and {float(due[place]):.9g} in f64"
    )
    return far / bound if bound else np.inf, words


def size_of(g: Graph, n: Node, values: Mapping[str, Array]) -> float:
    """The norm of a node's value; of one that is 0 throughout, that of what it is made from.

    Where a sum happens to be 0 in f64 and when rounded, in another order it need not be: as the
    gradient of a bias in front of a batch normalization.
    """
    largest, seen, stack = 0.0, {n}, [n]
    while stack:
        made = stack.pop()
        size = norm(values[g.names[made]])
        largest = max(largest, size)
        if not size:
            of = [i for i in made.inputs if i.type.is_float and i not in seen]
            seen.update(of)
            stack += of
    return largest


def norm(a: Array) -> float:
    """The root of the sum of all squares; infinite where that overflows."""
    with np.errstate(over="ignore"):
        return float(np.linalg.norm(a.reshape(-1)))
