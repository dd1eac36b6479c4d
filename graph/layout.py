"""Which node of a picture stands above which: forward down, backward up beside it, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from .op import Source

if TYPE_CHECKING:
    from .graph import Graph
    from .node import Node


class Layout:
    """The vertical order of a picture: bands, one a layer, and the order inside of them.

    A gradient stands beside the forward node that it is about, since forward runs down and
    backward runs up; this holds as far as the layers follow each other.
    """

    def __init__(self, g: Graph, roles: Mapping[Node, str]) -> None:
        self.roles = roles
        self.bands = list(g.layers)
        self.band = {n: self.bands.index(layer) for n in g.nodes if (layer := g.layer(n)) is not None}

    def relation(self, i: Node, n: Node) -> str:
        """Where n stands that reads i: `below`, `beside` (or below), `above`, or `free`."""
        made, reader = self.roles[i], self.roles[n]
        if made == reader == "backward":
            return "above" if self._ordered(n, i) else "free"
        if not self._ordered(i, n):
            return "free"
        if isinstance(i.op, Source):
            own = reader == "forward" or made == "state"
            return "below" if own else "free"
        return "below" if made == reader else "beside"

    def _ordered(self, upper: Node, lower: Node) -> bool:
        return self.band.get(upper, -1) <= self.band.get(lower, len(self.bands))

    def borders(self, g: Graph) -> Iterator[tuple[list[Node], list[Node]]]:
        """Between neighbouring bands: the lowest nodes of one, and the highest of the next."""
        above: set[Node] = set()
        below: set[Node] = set()
        for n in g.order:
            for i in n.inputs:
                if self.band.get(i) == self.band.get(n):
                    relation = self.relation(i, n)
                    if relation in ("below", "above"):
                        upper, lower = (i, n) if relation == "below" else (n, i)
                        above.add(upper)
                        below.add(lower)
        for k in range(len(self.bands) - 1):
            yield (
                [n for n in g.nodes if self.band.get(n) == k and n not in above],
                [n for n in g.nodes if self.band.get(n) == k + 1 and n not in below],
            )
