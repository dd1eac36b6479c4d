"""Where a step's values lie: views of an arena that begins at a cache line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...graph import ALIGNMENT, Array, Constant, Graph, Node, RunError, kernel_groups
from .plan import Plan
from .tiling import tiling


class Buffers(NamedTuple):
    """Where a step's values lie: of each node, and the temporaries of each group's nodes."""

    arrays: Mapping[Node, Array]
    scratch: Mapping[Node, tuple[Array, ...]]
    feeds: tuple[Node, ...]
    """The inputs: what `arrays` holds of them only stands for what is fed."""
    sizes: Mapping[str, int]


def _view(arena: Array, place: tuple[int, int], shape: tuple[int, ...], dtype: Any) -> Array:
    offset, nbytes = place
    view: Array = arena[offset : offset + nbytes].view(dtype).reshape(shape)
    return view


def bound(g: Graph, plan: Plan, arena: Array, values: Mapping[str, Array]) -> dict[Node, Array]:
    """Where each value lies but the feeds, and those that stay inside of a tiled group."""
    schedule = g.schedule
    assert schedule is not None
    arrays: dict[Node, Array] = {}
    for n in g.sources:
        if isinstance(n.op, Constant):
            arrays[n] = n.op.array
        elif n not in g.inputs:
            arrays[n] = values[g.names[n]]
    for n in schedule.order:
        if n in schedule.places:
            arrays[n] = _view(arena, schedule.places[n], n.type.bind(plan.sizes), n.type.numpy)
        elif n in schedule.takeovers:
            arrays[n] = arrays[schedule.takeovers[n]]
    return arrays


def temporaries(g: Graph, plan: Plan, arena: Array) -> dict[Node, tuple[Array, ...]]:
    """The temporaries in the arena: of each node, or of a tiled group at its first node."""
    assert g.schedule is not None
    views: dict[Node, tuple[Array, ...]] = {}
    for group in kernel_groups(g.schedule):
        tiles = tiling(g, group, plan.sizes)
        wanted = {n: n.op.scratch(*(i.type for i in n.inputs)) for n in group}
        if tiles is not None:
            wanted = {group[0]: tiles.temporaries}
        for n, types in wanted.items():
            places = g.schedule.scratch.get(n, ())
            views[n] = tuple(
                [
                    _view(arena, place, t.bind(plan.sizes), t.numpy)
                    for t, place in zip(types, places, strict=True)
                ]
            )
    return views


def aligned_bytes(nbytes: int, what: str = "buffers") -> Array:
    """So many bytes, which begin at a multiple of the alignment; RunError where there are none."""
    try:
        raw = np.empty(nbytes + ALIGNMENT, np.uint8)
    except (MemoryError, ValueError, OverflowError):
        raise RunError(
            f"{what} take {nbytes:,} bytes in one piece, which this machine does not give"
        ) from None
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + nbytes]
