"""Elements chosen by their places: gathering, one-hot, triangles, scattering at known places."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from .....graph import Array, GraphError, Node, constant
from .....ops import add, less, maximum, minimum, multiply, sum, where
from ..call import Call, Rules, counted
from ..values import Known, UnknownError, Value
from .parts import (
    LONGEST,
    as_dtype,
    expanded,
    few,
    in_floats,
    joined,
    numbered,
    ordered,
    picked,
    shaped,
)
from .products import product
from .reductions import one_hot


def _gather(c: Call) -> Value:
    """x at places along an axis; those that a feed tells choose by a product with one-hot rows."""
    x, places = c.node(0), c.value(1)
    axis = c.axis(0, x.type.rank)
    if isinstance(places, Known) and not places.symbolic:
        taken = picked(x, axis, places.array.reshape(-1).tolist())
        return shaped(taken, (*x.shape[:axis], *places.array.shape, *x.shape[axis + 1 :]))
    return looked_up(x, c.node(1), axis)


def looked_up(x: Node, places: Node, axis: int) -> Node:
    """x at places along an axis that a feed tells, as a product with one-hot rows."""
    size = numbered(x.shape[axis])
    table = in_floats(x)
    rest = [a for a in range(x.type.rank) if a != axis]
    width = [numbered(x.shape[a]) for a in rest]
    rows = shaped(ordered(table, [axis, *rest]), (size, math.prod(width)))
    chosen = one_hot(where(less(places, 0), places + size, places), size, table.dtype)
    found = shaped(product(chosen, rows), (*places.shape, *width))
    rank, at = places.type.rank, list(range(places.type.rank + len(width)))
    order = [*at[rank : rank + axis], *at[:rank], *at[rank + axis :]]
    return as_dtype(ordered(found, order), x.dtype)


def _flat(x: Node) -> Node:
    return shaped(x, (math.prod(numbered(d) for d in x.shape),))


def _numbered_places(x: Node) -> Array:
    """The flat place of each element of x."""
    shape = [numbered(d) for d in x.shape]
    return np.arange(few(math.prod(shape), LONGEST)).reshape(shape)


def _gather_elements(c: Call) -> Value:
    """Of each row along an axis the elements at its own places."""
    x, fed = c.node(0), c.value(1)
    axis = c.axis(0, x.type.rank)
    if isinstance(fed, Node):
        return _chosen_along(x, fed, axis)
    places = c.known(1).astype(np.int64)
    taken = np.take_along_axis(_numbered_places(x), places % numbered(x.shape[axis]), axis)
    return shaped(picked(_flat(x), 0, taken.reshape(-1).tolist()), taken.shape)


def _chosen_along(x: Node, places: Node, axis: int) -> Node:
    """The elements at places that a feed tells: sums of which one is not 0."""
    rest = [[d for a, d in enumerate(n.shape) if a != axis] for n in (x, places)]
    if rest[0] != rest[1]:
        raise UnknownError(f"it takes places {places.type} of {x.type}, which a feed tells")
    size = numbered(x.shape[axis])
    hot = one_hot(where(less(places, 0), places + size, places), size, "bool")
    order = [a for a in range(x.type.rank) if a != axis] + [axis]
    rows = expanded(ordered(x, order), [x.type.rank - 1])  # [..., 1, size]
    back = ordered(hot, [*order, x.type.rank])  # [..., places, size]
    found = sum(where(back, in_floats(rows), 0.0), axes=(x.type.rank,))
    return as_dtype(ordered(found, [order.index(a) for a in range(x.type.rank)]), x.dtype)


def _gather_nd(c: Call) -> Value:
    x, places = c.node(0), c.known(1).astype(np.int64)
    batch = c.integer("batch_dims", 0)
    every = _numbered_places(x)
    taken = np.array(
        [every[(*at[:batch], *places[at])] for at in np.ndindex(places.shape[:-1])]
    ).reshape(*places.shape[:-1], *every.shape[batch + places.shape[-1] :])
    return shaped(picked(_flat(x), 0, taken.reshape(-1).tolist()), taken.shape)


_JOINS: Final[Mapping[str, Callable[[Node, Node], Node] | None]] = {
    "none": None, "add": add, "mul": multiply, "max": maximum, "min": minimum,
}  # fmt: skip
"""What becomes of an element and what is written to its place."""


def _scattered(c: Call, places: Array, updates: Node) -> Node:
    """x with updates at flat places; to a place that stands twice, one after the other."""
    x, updates = c.node(0), _flat(updates)
    kind = c.text("reduction", "none")
    if kind not in _JOINS:
        raise GraphError(f"the reduction {kind!r} is none of {', '.join(_JOINS)}")
    join, left, y = _JOINS[kind], list(range(places.size)), _flat(x)
    while left:
        _, first = np.unique(places[left], return_index=True)
        now = [left[k] for k in sorted(first)]
        written = picked(updates, 0, now)
        if join is not None:
            written = join(picked(y, 0, places[now].tolist()), written)
        source = np.arange(numbered(y.shape[0]))
        source[places[now]] = source.size + np.arange(len(now))
        y = picked(joined([y, written], 0), 0, source.tolist())
        left = [k for k in left if k not in now]
    return shaped(y, x.shape)


def _scatter_elements(c: Call) -> Value:
    x, places = c.node(0), c.known(1).astype(np.int64)
    axis = c.axis(0, x.type.rank)
    taken = np.take_along_axis(_numbered_places(x), places % numbered(x.shape[axis]), axis)
    return _scattered(c, taken.reshape(-1), c.node(2))


def _scatter_nd(c: Call) -> Value:
    every, places = _numbered_places(c.node(0)), c.known(1).astype(np.int64)
    taken = np.array([every[tuple(places[at])] for at in np.ndindex(places.shape[:-1])])
    return _scattered(c, taken.reshape(-1), c.node(2))


def _one_hot(c: Call) -> Value:
    """The second of `values` at each place along a new axis, the first elsewhere."""
    places = as_dtype(c.node(0), "i64")
    size = int(c.known(1).reshape(-1)[0])
    values = c.node(2)
    rank = places.type.rank + 1
    at = counted(c.integer("axis", -1), rank)
    hot = one_hot(where(less(places, 0), places + size, places), size, "bool", at)
    return where(hot, values[1], values[0])


def _triangle(c: Call) -> Value:
    """The part above a diagonal, or below it; 0 elsewhere."""
    x = c.node(0)
    rows, columns = (numbered(d) for d in x.shape[-2:])
    few(rows * columns, LONGEST)
    k = int(c.known(1).reshape(-1)[0]) if c.has(1) else 0
    upper = c.integer("upper", 1)
    cut = np.triu if upper else np.tril
    mask = constant(cut(np.ones((rows, columns), np.bool_), k), "bool")
    return where(mask, x, constant(0, x.dtype))


def _compress(c: Call) -> Value:
    x, kept = c.node(0), np.flatnonzero(c.known(1))
    if "axis" in c.attributes:
        return picked(x, c.axis(0, x.type.rank), kept.tolist())
    return picked(_flat(x), 0, kept.tolist())


def _reverse_sequence(c: Call) -> Value:
    """Of each sequence, the first so many elements in reverse order."""
    x, lengths = c.node(0), c.whole(1)
    batch, time = c.integer("batch_axis", 1), c.integer("time_axis", 0)
    every = np.moveaxis(_numbered_places(x), (batch, time), (0, 1)).copy()
    for row, length in zip(every, lengths, strict=True):
        row[:length] = row[:length][::-1].copy()
    taken = np.moveaxis(every, (0, 1), (batch, time))
    return shaped(picked(_flat(x), 0, taken.reshape(-1).tolist()), x.shape)


def _nonzero(c: Call) -> Value:
    return Known(np.array(np.nonzero(c.known(0)), np.int64))


RULES: Final[Rules] = {
    "Compress": _compress,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "NonZero": _nonzero,
    "OneHot": _one_hot,
    "ReverseSequence": _reverse_sequence,
    "Scatter": _scatter_elements,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Trilu": _triangle,
}
