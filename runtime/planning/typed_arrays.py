"""Where results lie in one array for each dtype, as exported code has them; for the largest batch.

C has no bytes that hold a float now and a whole number then: each array is of one dtype. Scalars
are variables and no part of it, and temporaries are none where loops work element by element. The
same places serve every smaller batch: a value takes fewer elements from the same one on, so that
values which share none at the largest share none at any. The proof is that of all plans,
`check_placement`, of the arrays one behind another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...graph import ALIGNMENT, NUMPY_DTYPES, Graph, Node, kernel_groups
from .interference import Placement, check_placement
from .plan import _aligned, _Life, _lives, _offsets
from .tiling import tiling


class TypedArrays(NamedTuple):
    """The first element of each result in the array of its dtype, and how many elements these have.

    A result that takes over another lies where that lies; one that takes over a parameter or a
    state lies there, and one that stays inside of a group of elementwise ops nowhere.
    """

    first: Mapping[Node, int]
    counts: Mapping[str, int]
    placement: Placement

    @property
    def nbytes(self) -> int:
        """The bytes of all the arrays."""
        return sum(NUMPY_DTYPES[dtype].itemsize * n for dtype, n in self.counts.items())


def typed_arrays(g: Graph, sizes: Mapping[str, int]) -> TypedArrays:
    """Places for the results of a scheduled graph at its largest sizes; RefutedError where the
    proof of them finds a fault."""
    assert g.schedule is not None
    lives = [life for life in _lives(g, g.schedule, sizes) if life.scratch_of is None]
    first: dict[Node, int] = {}
    counts: dict[str, int] = {}
    for dtype, numpy in NUMPY_DTYPES.items():
        own = [_counted(x, numpy.itemsize) for x in lives if _is_array_of(dtype, x)]
        offsets = _offsets(own, [], alignment=1)
        first |= {n: at for x, at in zip(own, offsets, strict=True) for n in x.nodes}
        if own:
            counts[dtype] = max(at + x.nbytes for x, at in zip(own, offsets, strict=True))
    return TypedArrays(first, counts, _proved(g, sizes, first, counts))


def _is_array_of(dtype: str, life: _Life) -> bool:
    t = life.nodes[0].type
    return t.dtype == dtype and t.rank > 0


def _counted(life: _Life, itemsize: int) -> _Life:
    """The life with its size in elements."""
    return life._replace(nbytes=life.nbytes // itemsize)


def _proved(
    g: Graph, sizes: Mapping[str, int], first: Mapping[Node, int], counts: Mapping[str, int]
) -> Placement:
    """The proof of the arrays, one behind another, and behind them what lies in none: each scalar
    and each temporary by itself."""
    assert g.schedule is not None
    begins: dict[str, int] = {}
    end = 0
    for dtype, count in counts.items():
        begins[dtype], end = end, _aligned(end + count * NUMPY_DTYPES[dtype].itemsize)
    places: dict[Node, tuple[int, int]] = {}
    scratch: dict[Node, tuple[tuple[int, int], ...]] = {}
    for group in kernel_groups(g.schedule):
        tiles = tiling(g, group, sizes)
        for n in group:
            wanted = n.op.scratch(*[i.type for i in n.inputs]) if tiles is None else ()
            if tiles is not None and n is group[0]:
                wanted = tiles.temporaries
            own = []
            for t in wanted:
                own.append((end, t.nbytes(sizes)))
                end = _aligned(end + own[-1][1])
            scratch[n] = tuple(own)
            size = n.type.numpy.itemsize
            if n in first:
                places[n] = begins[n.type.dtype] + first[n] * size, n.type.nbytes(sizes)
            elif not n.type.rank and n not in g.schedule.takeovers:
                places[n], end = (end, size), end + ALIGNMENT
    for n, old in g.schedule.takeovers.items():
        if not n.type.rank and old in places:
            places[n] = places[old]
    planned = g.but(schedule=g.schedule.but(places=places, scratch=scratch))
    return check_placement(planned, sizes, end)
