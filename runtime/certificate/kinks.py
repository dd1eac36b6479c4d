"""Values near a kink, of relu, a maximum or their kin: rounding may put them on either side of it.

There the result is continuous and its derivative is not: what a step makes of gradients may then
differ by more than rounding, and by how much is found by taking each such value to both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from ...graph import SETTINGS, Array, Constant, Graph, Node, Op, compute

_NEAR: Final = 2
"""A value is near a kink where so many times its rounding takes it across."""

Values = Mapping[str, Array]


def near_kinks(g: Graph, exactly: Values, rounded: Values) -> dict[Node, Array]:
    """Which elements of each op lie near a kink of it, or on another side when rounded: where any
    do."""
    found: dict[Node, Array] = {}
    for n in g.order:
        if type(n.op).kinks is Op.kinks:
            continue
        at = [exactly[g.names[i]] for i in n.inputs]
        there = [rounded[g.names[i]].astype(a.dtype) for i, a in zip(n.inputs, at, strict=True)]
        piece = n.op.kinks(*at)
        if piece is None:
            continue
        near = np.asarray(n.op.kinks(*there) != piece)
        for sign in (1, -1):
            pushed = [_in_turns(x, sign * _far(x, y)) for x, y in zip(at, there, strict=True)]
            near = near | (n.op.kinks(*pushed) != piece)
        if near.any():
            found[n] = near
    return found


def other_sides(
    g: Graph,
    near: Mapping[Node, Array],
    exactly: Values,
    rounded: Values,
    sizes: Mapping[str, int],
) -> Iterator[dict[Node, Array]]:
    """All values of a graph twice, with what is near a kink on the one side, and on the other."""
    for sign in (1, -1):
        values = {n: exactly[g.names[n]] for n in g.sources}
        for n in g.order:
            if n in near:
                _push(g, n, near[n], sign, values, exactly, rounded)
            with SETTINGS:
                values[n] = compute(n, [values[i] for i in n.inputs], sizes)
        yield values


def _push(
    g: Graph,
    n: Node,
    near: Array,
    sign: int,
    values: dict[Node, Array],
    exactly: Values,
    rounded: Values,
) -> None:
    """Moves what a node reads across its kink, for all that read it later: the first of two inputs
    up where the other goes down. To move a value twice leaves it on the same side."""
    for k, i in enumerate(dict.fromkeys(n.inputs)):
        x = values[i]
        if isinstance(i.op, Constant) or x.dtype.kind != "f":
            continue
        by = (sign if k == 0 else -sign) * _far(exactly[g.names[i]], rounded[g.names[i]])
        values[i] = np.where(near, x + by, x) if near.shape == x.shape else _in_turns(x, by)


def _far(x: Array, rounded: Array) -> float:
    """How far a value is moved: some times as far as rounding took any of its tensor."""
    return _NEAR * float(np.abs(rounded - x).max(initial=0)) if x.dtype.kind == "f" else 0.0


def _in_turns(x: Array, by: float) -> Array:
    """Elements moved up and down in turns; one that is 0 exactly is meant to be."""
    if x.dtype.kind != "f":
        return x
    moved = x.reshape(-1).copy()
    moved[::2] += by
    moved[1::2] -= by
    pushed: Array = np.where(x == 0, x, moved.reshape(x.shape))
    return pushed
