"""Kernels against what their ops mean: each on the arrays that a step gives it, in f64.

The interpreter and the compiled step may run the same kernel, and be wrong alike. An op's exact
meaning, taken over the real numbers, is written apart from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Final

import numpy as np

from ...graph import Array, Graph, Node, NoRuleError, Op
from ...graph.modular.reals import RealPoint, Reals
from .bounds import Values, norm, nudged

_MULTIPLE: Final = 1 << 14
"""So many times as far may a kernel be off as rounding of its inputs takes its result."""
_EPS: Final = float(np.finfo(float).eps)


def wrong_kernel(g: Graph, values: Values, sizes: Mapping[str, int]) -> str:
    """The first node of a graph in f64 whose kernel gave another value than its op means; "" where
    there is none.

    Of the nodes of one op the smallest is looked at. Skipped is what has no exact meaning, or one
    with a function that is not known, and what is not finite.
    """
    smallest: dict[Op, Node] = {}
    for n in g.order:
        if type(n.op).exact is not Op.exact:
            other = smallest.setdefault(n.op, n)
            if _elements(n, sizes) < _elements(other, sizes):
                smallest[n.op] = n
    for n in smallest.values():
        found = _difference(g, n, values, sizes)
        if found:
            return f"the kernel of {n.op.name}, at %{g.names[n]}, {found}"
    return ""


def _elements(n: Node, sizes: Mapping[str, int]) -> int:
    return sum([prod(x.type.bind(sizes)) for x in (n, *n.inputs)])


def _difference(g: Graph, n: Node, values: Values, sizes: Mapping[str, int]) -> str:
    """How a node's value differs from what its op means, in words; "" where it does not."""
    inputs, y = [values[g.names[i]] for i in n.inputs], np.asarray(values[g.names[n]])
    if not all(np.isfinite(a).all() for a in (*inputs, y)):
        return ""
    try:
        # Kernels are written around overflow, which the plain formulas run into.
        with np.errstate(all="raise", under="ignore"):
            meant = _meant(n, inputs, sizes)
            rng = np.random.default_rng(0)
            unit = norm(_meant(n, [nudged(a, _EPS, rng) for a in inputs], sizes) - meant)
    except (NoRuleError, FloatingPointError):
        return ""
    off = norm(y - meant)
    bound = _MULTIPLE * max(unit, _EPS * norm(meant))
    if not np.isfinite(meant).all() or off <= bound:
        return ""
    at = np.unravel_index(int(np.abs(y - meant).argmax()), y.shape)
    place = f" at [{', '.join(str(int(i)) for i in at)}]" if at else ""
    return (
        f"is off by {off:.2g} in norm, where rounding allows {bound:.2g};{place} it gives "
        f"{float(y[at]):.9g}, and its `exact` means {float(meant[at]):.9g}"
    )


def _meant(n: Node, inputs: list[Array], sizes: Mapping[str, int]) -> Array:
    point = RealPoint(n.type.bind(sizes), n.type.dtype, sizes)
    reals = [Reals.of(a, i.type.dtype) for a, i in zip(inputs, n.inputs, strict=True)]
    try:
        return np.broadcast_to(n.op.exact(point, *reals).value, point.shape)
    except NoRuleError:
        raise
    except Exception as e:
        raise NoRuleError(f"op {n.op.name}: exact fails with {type(e).__name__}: {e}") from e
