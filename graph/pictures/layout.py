"""Where the nodes of a picture stand: forward down, backward up beside it, layer below layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from ..op import Source
from ..sources import Constant

if TYPE_CHECKING:
    from ..graph import Graph
    from ..node import Node

Relation = Literal["below", "beside", "above", "free"]
COLUMNS: Final = ("forward", "backward", "update")
_GAP: Final = 0.5


class Layout:
    """Bands, one a layer, and in each a column for forward, backward and update.

    A gradient stands beside the forward node that it is about, since forward runs down and
    backward runs up. Every relation but `free` agrees with one total order of all nodes, so that
    together they never contradict each other, whatever a graph's layers are called.
    """

    def __init__(self, g: Graph, roles: Mapping[Node, str]) -> None:
        self.roles = roles
        self.column = {n: self._column(g, n) for n in g.nodes}
        self.fixed: set[Node] = set()
        for n in g.nodes:
            varies = isinstance(n.op, Source) and not isinstance(n.op, Constant)
            if not varies and all(i in self.fixed for i in n.inputs):
                self.fixed.add(n)
        self.band = self._bands(g)
        self.place = {n: self._place(n, k) for k, n in enumerate(g.nodes)}
        self.highest, self.lowest = self._ends(g)

    def relation(self, i: Node, n: Node) -> Relation:
        """Where n stands, which reads i; `beside` allows below."""
        producer, reader = self.roles[i], self.roles[n]
        if producer == reader == "backward" and i not in self.fixed:
            return "above" if self.place[n] < self.place[i] else "free"
        if self.place[n] < self.place[i]:
            return "free"
        if isinstance(i.op, Source):
            if reader == self.column[i] != "backward":
                return "below"
            return "beside" if producer == "state" and reader == "update" else "free"
        return (
            "below" if producer == reader and (i not in self.fixed or n in self.fixed) else "beside"
        )

    def _column(self, g: Graph, n: Node) -> str:
        """A node's role; a source stands with its first readers."""
        if not isinstance(n.op, Source):
            return self.roles[n]
        readers = {self.roles[u] for u in g.users[n]}
        return next((c for c in COLUMNS if c in readers), COLUMNS[0])

    def _bands(self, g: Graph) -> dict[Node, float]:
        """Each layer's number; what has no layer stands between two, next to what it reads."""
        layers = {layer: float(k) for k, layer in enumerate(g.layers)}
        band: dict[Node, float] = {}
        for n in g.nodes:
            layer = g.layer(n)
            if layer is not None:
                band[n] = layers[layer]
            elif n in self.fixed or isinstance(n.op, Source):
                band[n] = -_GAP
            elif self.roles[n] == "backward":
                read = [band[i] for i in n.inputs if self.roles[i] == "backward"]
                above = [b - _GAP if b.is_integer() else b for b in read]
                band[n] = min(above, default=len(layers) - _GAP)
            else:
                band[n] = max(
                    b + _GAP if b.is_integer() else b for b in map(band.__getitem__, n.inputs)
                )
        return band

    def _place(self, n: Node, number: int) -> tuple[float, int, int]:
        """Where the node stands in the total order that all relations agree with."""
        if isinstance(n.op, Source):
            stage = 0
        elif n in self.fixed:
            stage = 1
        else:
            stage = 2 + COLUMNS.index(self.roles[n])
        upward = self.roles[n] == "backward" and n not in self.fixed
        return self.band[n], stage, -number if upward else number

    def _ends(self, g: Graph) -> tuple[frozenset[Node], frozenset[Node]]:
        """The nodes that nothing stands above, or below, in their layer's column."""
        above: set[Node] = set()
        below: set[Node] = set()
        for n in g.order:
            for i in n.inputs:
                relation = self.relation(i, n)
                together = self.band[i] == self.band[n] and self.column[i] == self.column[n]
                if together and relation in ("below", "above"):
                    upper, lower = (i, n) if relation == "below" else (n, i)
                    above.add(upper)
                    below.add(lower)
        return frozenset(g.nodes) - below, frozenset(g.nodes) - above
