"""What the tensors of a step are in the whole batch, where it is laid out shard by shard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ...graph import (
    Array,
    Graph,
    Node,
    Source,
    first_row,
    name_in_batch,
    shard_symbol,
    whole_symbols,
)
from ...ops import Shard


class InBatch(NamedTuple):
    """A tensor of a step as the whole batch has it, under its name there.

    `array` holds the rows of the shards that are computed here, the first of which is row `first`
    of the `batch`; a batch of 0 where the tensor has no rows. `source` is what is fed or kept,
    where the tensor is that.
    """

    name: str
    array: Array
    first: int = 0
    batch: int = 0
    source: Node | None = None

    def place(self, at: tuple[int, ...]) -> tuple[int, ...]:
        """Where an element of the array lies in the whole batch."""
        return (self.first + at[0], *at[1:]) if self.batch else at


class Batch:
    """The tensors of a graph, of these `values`, in the whole batch."""

    def __init__(self, g: Graph, values: Mapping[Node, Array], sizes: Mapping[str, int]) -> None:
        self._g = g
        self._values = values
        self._sizes = sizes
        first = [d for i in g.inputs for d in i.type.shape[:1]]
        self._counted = {*whole_symbols(d for d in first if isinstance(d, str))}
        self._parts: dict[str, list[Node]] = {}
        for n in g.nodes:
            if self._first(n) is not None:
                self._parts.setdefault(name_in_batch(g.names[n]), []).append(n)

    def computed(self, n: Node) -> tuple[InBatch, tuple[InBatch, ...]]:
        """What a node gives, and what it reads: of a shard's node, in all shards that are here.

        Where it reads what is of its own shard and has no rows, such as a mean over them, other
        shards have no part in it.
        """
        alone = any(self._is_of_no_row(i) for i in n.inputs)
        return self.tensor(n, alone), tuple([self.tensor(i, alone) for i in n.inputs])

    def tensor(self, n: Node, alone: bool = False) -> InBatch:
        """A tensor, of all shards that are here, or of its own `alone`."""
        source = n.inputs[0] if isinstance(n.op, Shard) else n
        kept = source if isinstance(source.op, Source) else None
        name, batch = self.name(n), self._count(n)
        if self._first(n) is None:
            return InBatch(name, self._values[n], 0, batch, kept)
        parts = [n] if alone else sorted(self._parts[name], key=self._start)
        rows = [self._values[part] for part in parts]
        return InBatch(name, np.concatenate(rows), self._start(parts[0]), batch, kept)

    def name(self, n: Node) -> str:
        """What a node is called in the whole batch."""
        name = self._g.names[n]
        return name_in_batch(name) if self._parts else name

    def _count(self, n: Node) -> int:
        """How many rows the batch has that a tensor is of; 0 where its first axis counts none."""
        d = n.type.shape[0] if n.type.rank else 0
        whole = whole_symbols([d]) if isinstance(d, str) else ()
        return self._sizes[whole[0]] if self._counted.issuperset(whole) and whole else 0

    def _first(self, n: Node) -> int | None:
        """The first row that a shard's tensor has; None where it has those of no shard."""
        return first_row(n.type.shape[0], self._sizes) if n.type.rank else None

    def _start(self, n: Node) -> int:
        return self._first(n) or 0

    def _is_of_no_row(self, n: Node) -> bool:
        """Whether a tensor is of one shard, and has no rows."""
        name = self._g.names[n]
        return bool(self._parts) and not self._count(n) and name_in_batch(name) != name


def rows_in_words(n: Node, sizes: Mapping[str, int]) -> str:
    """How many rows the shard has that a node is of; nothing where it is of none."""
    for d in (*n.type.symbols, *[d for i in n.inputs for d in i.type.symbols]):
        shard = shard_symbol(d)
        if shard is not None and shard.first is not None:
            start, stop = shard.rows(sizes[shard.whole])
            count = f"{stop - start} of the {sizes[shard.whole]} rows"
            return f"shard {shard.first} of {shard.of} has {count}"
    return ""
