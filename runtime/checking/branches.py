"""Kinks: an op followed, past a kink, on the smooth piece where it started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ...graph import Array, Node, Op, compute


class Crossing(NamedTuple):
    """Elements of a node that came onto another smooth piece than the one at the start."""

    node: Node
    first: tuple[int, ...]
    """The first of these elements."""
    held: int
    """How many have no smooth piece on either side: they were held where they started."""


def has_kinks(n: Node) -> bool:
    """Whether the node's op says where it is not smooth."""
    return type(n.op).kinks is not Op.kinks


def follow(
    n: Node, start: Sequence[Array], moved: Sequence[Array], at: Array, sizes: Mapping[str, int]
) -> tuple[Array, Crossing | None]:
    """The node's result at the moved inputs, with no kink between there and the start.

    `at` is its result at the start. An element that crosses a kink is continued from its own
    side: by the cubic through the start and three points at the mirrored distance, exact for
    what is piecewise linear. Where the mirrored side has another piece too, as for |x| at 0, the
    element stays: the derivative is 0 there by convention.
    """
    y = compute(n, list(moved), sizes)
    with np.errstate(all="ignore"):
        own, there = n.op.kinks(*start), n.op.kinks(*moved)
    if own is None or there is None:
        return y, None
    crossed = own != there
    if not crossed.any():
        return y, None
    first = tuple(int(i) for i in np.argwhere(crossed)[0])
    if not n.type.is_float:
        return np.where(crossed, at, y), Crossing(n, first, 0)
    back, same = [], []
    for k in (1, 2, 3):
        mirrored = [
            s - k * (m - s) if s.dtype.kind == "f" else s for s, m in zip(start, moved, strict=True)
        ]
        back.append(compute(n, mirrored, sizes))
        same.append(n.op.kinks(*mirrored) == own)
    cubic = 4 * at - 6 * back[0] + 4 * back[1] - back[2]
    linear = 2 * at - back[0]
    beyond = np.where(same[0] & same[1] & same[2], cubic, np.where(same[0], linear, at))
    return np.where(crossed, beyond, y), Crossing(n, first, int((crossed & ~same[0]).sum()))
