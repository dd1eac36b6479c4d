"""Random points for graphs: a prime, the sizes of the symbols, and what the sources hold."""

from __future__ import annotations

from math import prod
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np

from ...graph import Array, Graph, IntShape, Node, Residues, State, shard_symbol
from ...graph.modular.arithmetic import PRIMES, random_residues
from ...graph.modular.modulus import Modulus
from ...ops import Shard
from ...ops.likelihood import NLL, LabelPlaces, NLLGrad

STEP: Final = 3
"""The number of the step: at the first, states are 0, and hide faults."""
_KEY: Final = 0x5EED
_FIRST: Final = 3
"""The symbols' sizes, but at the point where all are 1: from here on, no two alike; beyond two rows
for each shard, where there are shards."""
_WHOLE: Final = 7
"""Whole numbers that are fed or kept are from 1 to here."""
LARGE: Final = 1 << 14
"""Of tensors with more elements, _ROWS rows are compared."""
_ROWS: Final = 64


class At(NamedTuple):
    """A point: sizes of the symbols, a prime, and the key by which all else is drawn."""

    sizes: dict[str, int]
    modulus: Modulus
    key: int
    drawn: dict[tuple[str, int], Array]
    """What was drawn of large sources of fixed sizes, which points of one prime share."""


def points(g: Graph, *others: Graph) -> list[At]:
    """Where a graph is compared with others: at two primes, and with all sizes 1.

    Where batches are cut into shards, each has rows at the first two, and the last has fewer. Where
    `g` itself is so, what it means of a shard may need a row: the smallest sizes are one for each.
    """
    of = max(map(_shards, (g, *others)))
    first = _FIRST if not of else 2 * of + _FIRST
    sizes = {s: first + k for k, s in enumerate(g.symbols)}
    drawn: dict[tuple[str, int], Array] = {}
    moduli = [Modulus(p) for p in PRIMES]
    at = [At(sizes, p, _KEY, drawn) for p in moduli]
    fewest = dict.fromkeys(sizes, _shards(g) or 1)
    return [*at, At(fewest, moduli[0], _KEY, drawn)] if sizes else at


def _shards(g: Graph) -> int:
    """Into how many shards the rows of a graph are cut; 0 where they are whole."""
    symbols = {d for n in g.nodes for d in n.type.symbols}
    return max([s.of for d in symbols if (s := shard_symbol(d)) is not None], default=0)


def source(
    n: Node, name: str, classes: int | None, at: At, along: bool, rows: Array | None = None
) -> Residues:
    """The value of a source, or rows of it: by its name, the same at any time.

    `classes` is how many there are, for class numbers; `along` whether the direction leads along
    this source.
    """
    shape, dtype, p = n.type.bind(at.sizes), n.type.dtype, at.modulus
    key = crc32(name.encode()) ^ at.key
    places = np.arange(prod(shape)).reshape(shape)
    places = places if rows is None else places[rows]
    if n.type.is_float:
        tangent = None
        if along:
            tangent = np.zeros(places.shape)
            some = rows is None and prod(shape) > LARGE
            which = rows_of(shape, at.key) if some else ...
            tangent[which] = random_residues(~key % 2**64, places[which], p)
        if rows is not None or n.type.symbols or prod(shape) <= LARGE:
            return Residues(random_residues(key, places, p), dtype, p, tangent)
        if (name, p) not in at.drawn:
            at.drawn[name, p] = random_residues(key, places, p)
        return Residues(at.drawn[name, p], dtype, p, tangent)
    if isinstance(n.op, State) and name == "step":
        return Residues(np.full(places.shape, float(STEP)), dtype, p)
    chosen = random_residues(key, places, p)
    if dtype == "bool":
        return Residues(chosen % 2, dtype, p)
    return Residues(chosen % (classes or _WHOLE) + (0 if classes else 1), dtype, p)


def rows_of(shape: IntShape, key: int) -> Array:
    """The places of some rows of a large tensor, in their order."""
    places = np.arange(shape[0])
    if shape[0] <= _ROWS:
        return places
    chosen = np.argsort(random_residues(key, places, PRIMES[0]), kind="stable")[:_ROWS]
    return np.sort(chosen)


def classes_of(g: Graph) -> dict[Node, int]:
    """How many classes there are for each input of class numbers."""
    classes: dict[Node, int] = {}
    for n in g.order:
        if isinstance(n.op, (NLLGrad, LabelPlaces)):
            count = n.op.classes
        elif isinstance(n.op, NLL):
            (_, count) = n.inputs[0].type.shape  # type: ignore[assignment]
        else:
            continue
        labels = n.inputs[1]
        labels = labels.inputs[0] if isinstance(labels.op, Shard) else labels
        classes[labels] = min(count, classes.get(labels, count))
    return classes
