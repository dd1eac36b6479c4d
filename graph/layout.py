"""Where the nodes of a picture stand: forward down, backward up beside it, layer below layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from .op import Source
from .sources import Constant

if TYPE_CHECKING:
    from .graph import Graph
    from .node import Node

Relation = Literal["below", "beside", "above", "free"]
COLUMNS: Final = ("forward", "backward", "update")


class Layout:
    """Bands, one a layer, and in each a column for forward, backward and update.

    A gradient stands beside the forward node that it is about, since forward runs down and
    backward runs up; this holds as far as the layers follow each other.
    """

    def __init__(self, g: Graph, roles: Mapping[Node, str]) -> None:
        self.roles = roles
        bands = {layer: k for k, layer in enumerate(g.layers)}
        self.band = {n: bands[layer] for n in g.nodes if (layer := g.layer(n)) is not None}
        self.last = len(bands)
        self.column = {n: self._column(g, n) for n in g.nodes}
        self.fixed: set[Node] = set()
        for n in g.nodes:
            given = isinstance(n.op, Source) and not isinstance(n.op, Constant)
            if not given and all(i in self.fixed for i in n.inputs):
                self.fixed.add(n)
        self.highest, self.lowest = self._ends(g)

    def _column(self, g: Graph, n: Node) -> str:
        """A node's role; a source stands with its first readers."""
        if not isinstance(n.op, Source):
            return self.roles[n]
        readers = {self.roles[u] for u in g.users[n]}
        return next((c for c in COLUMNS if c in readers), COLUMNS[0])

    def relation(self, i: Node, n: Node) -> Relation:
        """Where n stands, which reads i; `beside` allows below."""
        made, reader = self.roles[i], self.roles[n]
        upward = made == reader == "backward" and i not in self.fixed
        if not (self._ordered(n, i) if upward else self._ordered(i, n)):
            return "free"
        if upward:
            return "above"
        if isinstance(i.op, Source):
            if reader == self.column[i] != "backward":
                return "below"
            return "beside" if made == "state" and reader == "update" else "free"
        return "below" if made == reader and (i not in self.fixed or n in self.fixed) else "beside"

    def _ordered(self, upper: Node, lower: Node) -> bool:
        return self.band.get(upper, -1) <= self.band.get(lower, self.last)

    def _ends(self, g: Graph) -> tuple[frozenset[Node], frozenset[Node]]:
        """The nodes that nothing stands above, or below, in their layer's column."""
        above: set[Node] = set()
        below: set[Node] = set()
        for n in g.order:
            for i in n.inputs:
                relation = self.relation(i, n)
                together = self.band.get(i) == self.band.get(n) and self.column[i] == self.column[n]
                if together and relation in ("below", "above"):
                    upper, lower = (i, n) if relation == "below" else (n, i)
                    above.add(upper)
                    below.add(lower)
        return frozenset(g.nodes) - below, frozenset(g.nodes) - above
