"""Tiles: how much of an elementwise group runs at a time, and in which temporaries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from typing import Final, NamedTuple

from ...graph import Graph, Input, Node, Nodes, TensorType, inside_lanes, lanes

TILE: Final = 32_768
"""Elements that run at a time: the operands of a call then stay in the cache for the next."""


class Tiling(NamedTuple):
    """How a group runs: over `rows` rows (or elements, where it is flat), `step` at a time.

    `lane` is what runs for each tile, `others` the equal computations for other parameters, whose
    tensors follow those of the lane where they are packed. `temporaries` are the types of what a
    tile needs besides; `results` and `scratch` say which of them each node takes. `hidden` are the
    nodes of all lanes that only the group reads.
    """

    lane: Nodes
    others: tuple[Nodes, ...]
    flat: bool
    rows: int
    step: int
    temporaries: tuple[TensorType, ...]
    results: Mapping[Node, int]
    scratch: Mapping[Node, tuple[int, ...]]
    hidden: frozenset[Node]

    @property
    def whole(self) -> bool:
        """Whether one tile is all."""
        return self.rows <= self.step


def tiling(g: Graph, group: Nodes, sizes: Mapping[str, int]) -> Tiling | None:
    """How an elementwise group runs at these sizes; None for another group."""
    parts = lanes(group)
    if parts is None:
        return None
    lane, *others = parts
    shape, bound = lane[0].type.shape, lane[0].type.bind(sizes)
    tensors = {i for n in lane for i in n.inputs if i.type.rank}
    flat = all(i.type.shape == shape for i in tensors)
    if flat:
        count = sum(math.prod(part[0].type.bind(sizes)) for part in (lane, *others))
        row: tuple[int, ...] = ()
    else:
        count, row = (bound[0], bound[1:])
    step = max(1, TILE // max(1, math.prod(row)))
    if any(isinstance(i.op, Input) for i in tensors):
        # A feed lies elsewhere at each step: it is read whole, by its name.
        flat, row = False, bound[1:]
        count = step = bound[0]
    tile = (min(step, count), *row) if bound else ()
    hidden = inside_lanes(g, parts)
    results, scratch, temporaries = _temporaries(lane, hidden, tile)
    return Tiling(lane, tuple(others), flat, count, step, temporaries, results, scratch, hidden)


def _temporaries(
    lane: Sequence[Node], hidden: frozenset[Node], tile: tuple[int, ...]
) -> tuple[dict[Node, int], dict[Node, tuple[int, ...]], tuple[TensorType, ...]]:
    """Each gets the first temporary of its type that is free while it is needed."""
    last = {i: k for k, n in enumerate(lane) for i in n.inputs}
    types: list[TensorType] = []
    free: dict[str, list[int]] = {}  # those of a dtype, the first on top
    needed: list[list[int]] = [[] for _ in lane]  # those whose last place it is

    def taken(t: TensorType, until: int) -> int:
        heap = free.setdefault(t.dtype, [])
        if not heap:
            heap.append(len(types))
            types.append(t.with_shape(tile))
        slot = heappop(heap)
        needed[until].append(slot)
        return slot

    results: dict[Node, int] = {}
    scratch: dict[Node, tuple[int, ...]] = {}
    for k, n in enumerate(lane):
        if n in hidden:
            results[n] = taken(n.type, last[n])
        wanted = n.op.scratch(*(i.type for i in n.inputs))
        if wanted:
            scratch[n] = tuple([taken(t, k) for t in wanted])
        for done in needed[k]:
            heappush(free[types[done].dtype], done)
    return results, scratch, tuple(types)
