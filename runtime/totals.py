"""The loss of any number of rows: what blocks of them give, and what is made of these totals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..graph import Array, Graph, Input, Node, OverRows
from .interpreter import interpret

if TYPE_CHECKING:
    from .execution.executable import Executable
    from .state import StateArrays


class Total(NamedTuple):
    """What is computed from all rows: an input of the rest, and an output of each block.

    `joins` says how those of the blocks are made one. The number of rows has no output.
    """

    fed: Node
    output: str | None
    joins: OverRows


class Split(NamedTuple):
    """A loss in two parts: `blocks` runs for each block of rows, `rest` once, on the totals.

    `blocks` is None where no row is read; it has the outputs with rows that were asked for, too.
    """

    blocks: Graph | None
    rest: Graph
    totals: tuple[Total, ...]


def split(g: Graph, by_row: Collection[str]) -> Split | None:
    """The loss of g and its outputs `by_row`, for rows that come in blocks of any number.

    None where the graph does not tell how: where a row depends on other rows, an output has no
    rows, or an op does not say what it makes of them (`Op.over_rows`).
    """
    outputs = {k: g.outputs[k] for k in by_row}
    loss = {"loss": g.outputs["loss"]}
    g = g.but(outputs={**loss, **outputs}, updates={})
    structure = _totals(g)
    if structure is None or not structure.rows.issuperset(outputs.values()):
        return None
    fed = {n: Node(Input(n.type), (), n.type, g.names[n]) for n in structure.joins}
    rest = g.but(outputs=loss).replace(fed)
    totals: list[Total] = []
    for n, joins in structure.joins.items():
        if fed[n] not in rest.inputs:
            continue
        key = f"total.{''.join(by_row)}.{len(totals)}" if n.inputs else None
        outputs |= {key: n} if key else {}
        totals.append(Total(fed[n], key, joins))
    return Split(g.but(outputs=outputs) if outputs else None, rest, tuple(totals))


class _Found(NamedTuple):
    rows: frozenset[Node]
    joins: dict[Node, OverRows]


def _totals(g: Graph) -> _Found | None:
    """The nodes that have rows, and those that join them, each with how it does."""
    if len(g.symbols) > 1 or any(n.type.shape[:1] != n.type.symbols for n in g.inputs):
        return None
    rows: set[Node] = set(g.inputs)
    joins: dict[Node, OverRows] = {}
    later: set[Node] = set()  # what depends on what joins them
    for n in g.order:
        with_rows = bool(n.type.symbols)
        if not later.isdisjoint(n.inputs):
            if with_rows or not rows.isdisjoint(n.inputs):
                return None
            later.add(n)
        elif with_rows or n.op.free_symbols() or not rows.isdisjoint(n.inputs):
            over = n.op.over_rows(*(i.type for i in n.inputs))
            if over is None or with_rows != (over == "each"):
                return None
            if with_rows and n.type.shape[:1] != n.type.symbols:
                return None
            if with_rows:
                rows.add(n)
            else:
                joins[n] = over
                later.add(n)
    return _Found(frozenset(rows), joins)


class Blockwise:
    """Evaluates a loss and an output with rows block by block, where its graph tells how, and in
    one call where it does not: `run` gives the outputs of `blocks`."""

    def __init__(
        self,
        parts: Split | None,
        blocks: Executable | None,
        run: Callable[[Executable, Mapping[str, Any]], Mapping[str, Array]],
        values: StateArrays,
    ) -> None:
        self.parts = parts
        self.values = values
        self._blocks = blocks
        self._run = run

    def rows(self, most: int, count: int) -> int:
        """How many of `count` rows a block has: `most`, or what the memory limit has room for."""
        if self.parts is None or self._blocks is None:
            return count
        return self._blocks.rows_within_limit(most)

    @property
    def added(self) -> list[str]:
        """The outputs of a block that `Totals` adds."""
        if self.parts is None:
            return ["loss"]
        return [total.output for total in self.parts.totals if total.output is not None]

    def outputs(self, feeds: Mapping[str, Any]) -> Mapping[str, Array]:
        """What a block gives."""
        return self._run(self._blocks, feeds) if self._blocks is not None else {}


class Totals:
    """The totals of the blocks so far, in f64, and the loss that is made of them."""

    def __init__(self, how: Blockwise) -> None:
        self._how = how
        self._held: dict[Node, Array] = {}
        self._count = 0
        self._loss = 0.0

    def add(self, outputs: Mapping[str, Array], count: int) -> None:
        """Adds what a block of so many rows gives."""
        self._count += count
        if self._how.parts is None:
            self._loss = float(outputs["loss"])
            return
        for fed, key, joins in self._how.parts.totals:
            if key is None:
                self._held[fed] = np.array(float(self._count))
                continue
            total = outputs[key].astype(np.float64)
            if joins == "mean":
                total = total * count
            before = self._held.get(fed)
            if before is not None:
                total = np.maximum(before, total) if joins == "max" else before + total
            self._held[fed] = total

    def loss(self) -> float:
        """The loss of all rows."""
        if self._how.parts is None:
            return self._loss
        rest, values = self._how.parts.rest, self._how.values
        arrays = values.read([rest.names[n] for n in (*rest.parameters, *rest.state)])
        with np.errstate(all="ignore"):
            for fed, _, joins in self._how.parts.totals:
                total = self._held[fed] / (self._count if joins == "mean" else 1)
                arrays[rest.names[fed]] = total.astype(fed.type.numpy)
        return float(interpret(rest, arrays).outputs["loss"])
