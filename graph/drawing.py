"""A graph as a picture: forward runs down, backward runs up beside it, a box for each layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

from graphviz import Digraph
from graphviz import escape as literal

from .labels import description, is_folded, label, tooltip
from .layout import Layout
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
    "input": _Look("ellipse", "filled", "#ffffff", "#333333", "input"),
    "parameter": _Look("folder", "filled", "#dff2e1", "#1e7a3c", "parameter"),
    "state": _Look("cylinder", "filled", "#fff3bf", "#7a5f00", "state"),
    "constant": _Look("note", "filled", "#eeeeee", "#666666", "constant"),
    "forward": _Look("box", "filled,rounded", "#d6e8fa", "#1f5a99", "forward"),
    "backward": _Look("octagon", "filled", "#f8c9a4", "#a3440a", "backward"),
    "update": _Look("cds", "filled", "#cfb8ea", "#5f3692", "update"),
}

_PLACED: Final[Mapping[str, Mapping[str, str]]] = {
    "below": {"weight": "4"},
    "beside": {"minlen": "0"},
    "above": {"constraint": "false"},
    "free": {"constraint": "false"},
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
        self.layout = Layout(g, self.roles)
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
        self._borders()
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

    def _layer(self, layer: str) -> None:
        with self.dot.subgraph(name=f"cluster {layer}") as box:
            box.attr(
                label=f"<<B>{escape(layer)}</B>>", labeljust="l", style="rounded,filled",
                fillcolor="#f4f4f4", color="#999999", tooltip=literal(f"layer {layer}"),
            )  # fmt: skip
            nodes = [n for n in self.shown if self.g.layer(n) == layer]
            tops = []
            for column, tint in _COLUMNS.items():
                inside = [n for n in nodes if self.layout.column(n) == column]
                if inside:
                    tops.append(f"{layer} {column}")
                    self._column(box, layer, column, tint, inside)
            with box.subgraph() as row:
                row.attr(rank="same")
                for left, right in pairwise(tops):
                    row.edge(left, right, style="invis")

    def _column(self, layer: Digraph, name: str, column: str, tint: str, nodes: list[Node]) -> None:
        with layer.subgraph(name=f"cluster {name} {column}") as box:
            box.attr(
                label=f"<<FONT POINT-SIZE=\"10\">{column}</FONT>>", labeljust="l", style="rounded,filled",
                fillcolor=tint, color=tint, tooltip=literal(f"{name}, {column}"),
            )  # fmt: skip
            box.node(f"{name} {column}", style="invis", shape="point", width="0", height="0", label="")
            self._nodes(box, nodes)

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
        line = _LOOKS[self.roles[n]].line
        for slot, i in enumerate(n.inputs):
            if is_folded(self.g, i):
                continue
            placed = _PLACED[self.layout.relation(i, n)]
            if placed is _PLACED["above"]:
                # A hidden edge the other way puts the reader above what it reads.
                self.dot.edge(names[n], names[i], style="invis", weight="2")
            main = self.roles[i] == self.roles[n]
            self.dot.edge(
                names[i], names[n], color=line, penwidth="1.5" if main else "0.8",
                tooltip=f"{names[i]} → {names[n]}, operand {slot}", **placed,
            )  # fmt: skip

    def _borders(self) -> None:
        """Hidden points between the layers keep their boxes below each other."""
        for k, (upper, lower) in enumerate(self.layout.borders(self.g)):
            point = f"border {k}"
            self.dot.node(point, style="invis", shape="point", width="0", height="0", label="")
            for n in upper:
                self.dot.edge(self.g.names[n], point, style="invis", weight="0")
            for n in lower:
                self.dot.edge(point, self.g.names[n], style="invis", weight="0")

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
