"""A graph as a picture: forward runs down, backward runs up beside it, a box for each layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

from graphviz import Digraph
from graphviz import escape as literal

from .labels import description, is_folded, label, tooltip
from .roles import roles

if TYPE_CHECKING:
    from .graph import Graph
    from .node import Node

_FONT: Final = "Helvetica"
_INK: Final = "#1a1a1a"


class _Look(NamedTuple):
    """How the nodes of a role are drawn: told apart by shape, and in grey by the fill's lightness."""

    shape: str
    style: str
    fill: str
    line: str
    meaning: str


_LOOKS: Final[Mapping[str, _Look]] = {
    "input": _Look("invhouse", "filled", "#ffffff", "#333333", "input"),
    "parameter": _Look("folder", "filled", "#dff2e1", "#1e7a3c", "parameter"),
    "state": _Look("cylinder", "filled", "#fff3bf", "#7a5f00", "state"),
    "constant": _Look("note", "filled", "#eeeeee", "#666666", "constant"),
    "forward": _Look("box", "filled,rounded", "#d6e8fa", "#1f5a99", "forward"),
    "backward": _Look("octagon", "filled", "#f8c9a4", "#a3440a", "backward"),
    "update": _Look("hexagon", "filled", "#cfb8ea", "#5f3692", "update"),
}


def to_dot(g: Graph, sizes: Mapping[str, int] | None = None) -> str:
    """The graph in Graphviz's language, the same text for the same graph.

    `sizes`, e.g. {"N": 128}, gives the symbols' values to the bytes that nodes show.
    """
    return _Drawing(g, sizes or {}).source()


def to_svg(g: Graph, sizes: Mapping[str, int] | None = None) -> str:
    """The picture as SVG; raises GraphError where no program is found that can draw it."""
    from .rendering import render

    return render(to_dot(g, sizes), g.name, description(g, roles(g)))


class _Drawing:
    def __init__(self, g: Graph, sizes: Mapping[str, int]) -> None:
        self.g = g
        self.sizes = sizes
        self.roles = roles(g)
        self.shown = [n for n in g.nodes if not is_folded(g, n)]
        self.dot = Digraph(g.name)

    def source(self) -> str:
        self._defaults()
        self._legend()
        for layer in self.g.layers:
            self._cluster(layer)
        self._nodes(self.dot, (n for n in self.shown if self.g.layer(n) is None))
        for n in self.shown:
            self._operands(n)
        self._updates()
        return str(self.dot.source)

    def _defaults(self) -> None:
        self.dot.attr(
            "graph", rankdir="TB", newrank="true", nodesep="0.2", ranksep="0.32",
            fontname=_FONT, fontsize="13", fontcolor=_INK, tooltip=literal(self.g.name),
        )  # fmt: skip
        self.dot.attr(
            "node", fontname=_FONT, fontsize="10", fontcolor=_INK, margin="0.09,0.045", height="0.3"
        )
        self.dot.attr("edge", arrowsize="0.6", color="#555555")

    def _cluster(self, layer: str) -> None:
        with self.dot.subgraph(name=f"cluster layer {layer}") as box:
            box.attr(
                label=f"<<B>{escape(layer)}</B>>", labeljust="l", style="rounded,filled",
                fillcolor="#f7f7f7", color="#999999", tooltip=literal(f"layer {layer}"),
            )  # fmt: skip
            self._nodes(box, (n for n in self.shown if self.g.layer(n) == layer))

    def _nodes(self, box: Digraph, nodes: Iterable[Node]) -> None:
        for n in nodes:
            self._node(box, n)

    def _node(self, box: Digraph, n: Node) -> None:
        look = _LOOKS[self.roles[n]]
        box.node(
            self.g.names[n],
            label(self.g, n, self.sizes),
            tooltip=_text(tooltip(self.g, n)),
            shape=look.shape,
            style=look.style + (",bold" if n.op.fused else ""),
            fillcolor=look.fill,
            color=look.line,
            peripheries="2" if n in self.g.outputs.values() else "1",
        )

    def _operands(self, n: Node) -> None:
        """The edges into a node, arranged so that backward runs up, beside what it is about."""
        names = self.g.names
        reader = self.roles[n]
        for slot, i in enumerate(n.inputs):
            if is_folded(self.g, i):
                continue
            made = self.roles[i]
            attributes = {"color": _LOOKS[reader].line, "tooltip": f"{names[i]} → {names[n]}, operand {slot}"}
            if made == reader == "backward":
                # A hidden edge the other way puts the reader above what it reads.
                self.dot.edge(names[n], names[i], style="invis", weight="2")
                attributes["constraint"] = "false"
            elif made == reader:
                attributes |= {"weight": "4", "penwidth": "1.6"}
            elif made in ("forward", "backward"):
                attributes |= {"minlen": "0"}
            self.dot.edge(names[i], names[n], **attributes)

    def _updates(self) -> None:
        names = self.g.names
        for target, value in self.g.updates.items():
            self.dot.edge(
                names[value], names[target], style="dashed", constraint="false",
                color=_LOOKS["update"].line, arrowhead="vee",
                tooltip=f"update {names[target]} = {names[value]}",
            )  # fmt: skip

    def _legend(self) -> None:
        pass


def _text(text: str) -> str:
    """The text as Graphviz reads it literally, entities and backslashes too."""
    return str(literal(escape(text, quote=False))).replace("\n", "\\n")
