"""A graph as a picture: Graphviz's text of it, and the SVG that a Graphviz program makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from graphviz import Digraph
from graphviz import escape as literal

from ..arguments import MOST, sizes_of
from ..roles import roles
from .folding import is_folded
from .labels import description, label, printable, tooltip
from .layout import COLUMNS, Layout, Relation

if TYPE_CHECKING:
    from ..graph import Graph
    from ..node import Node

_FONT: Final = "Helvetica"
_INK: Final = "#1a1a1a"


class _Look(NamedTuple):
    """How the nodes of a role are drawn: told apart by shape, and without colour by lightness."""

    shape: str
    style: str
    fill: str
    line: str
    behind: str = "#ffffff"


_LOOKS: Final[Mapping[str, _Look]] = {
    "input": _Look("ellipse", "filled", "#ffffff", "#333333"),
    "parameter": _Look("folder", "filled", "#d9efdc", "#1e7a3c"),
    "constant": _Look("note", "filled", "#eeeeee", "#666666"),
    "forward": _Look("box", "filled,rounded", "#cfe4f9", "#1f5a99", "#f0f6fd"),
    "backward": _Look("octagon", "filled", "#f8c39a", "#a3440a", "#fdf3eb"),
    "update": _Look("component", "filled", "#c9b0e8", "#5f3692", "#f6f1fb"),
    "state": _Look("cylinder", "filled", "#fff0b0", "#7a5f00"),
}
_PLACED: Final[Mapping[Relation, Mapping[str, str]]] = {
    "below": {"weight": "4"},
    "beside": {"minlen": "0"},
    "above": {"constraint": "false"},
    "free": {"constraint": "false"},
}
_WRITES: Final = {"style": "dashed", "color": _LOOKS["update"].line, "arrowhead": "vee"}
_HEADS: Final = {"forward": "forward ↓", "backward": "backward ↑", "update": "update"}
_POINT: Final = {"style": "invis", "shape": "point", "width": "0", "height": "0", "label": ""}


def to_dot(g: Graph, sizes: Mapping[str, int] | None = None) -> str:
    """The graph in Graphviz's language, the same text for the same graph.

    `sizes`, e.g. {"N": 128}, gives the symbols' values to the bytes that nodes show.
    """
    return _Drawing(g, _checked(sizes)).source()


def to_svg(g: Graph, sizes: Mapping[str, int] | None = None) -> str:
    """The picture as SVG; raises GraphError where no program is found that can draw it."""
    from .rendering import render

    # Graphviz fails to route a few edges between columns; without them it draws those too.
    checked = _checked(sizes)
    texts = [_Drawing(g, checked, columns).source() for columns in (True, False)]
    return render(texts, g.name, description(g, roles(g)))


def _checked(sizes: Mapping[str, int] | None) -> dict[str, int]:
    return {} if sizes is None else sizes_of("sizes", sizes, MOST)


class _Drawing:
    def __init__(self, g: Graph, sizes: Mapping[str, int], in_columns: bool = True) -> None:
        self.g = g
        self.sizes = sizes
        self.roles = roles(g)
        self.layout = Layout(g, self.roles)
        self.shown = [n for n in g.nodes if not is_folded(g, n)]
        used = {self.layout.column[n] for n in self.shown}
        self.columns = [c for c in COLUMNS if c in used] if in_columns else []
        self.dot = Digraph(g.name)

    def source(self) -> str:
        self._defaults()
        self._legend()
        self._frame()
        for layer in self.g.layers:
            self._layer(layer)
        self._nodes(self.dot, (n for n in self.shown if self.g.layer(n) is None))
        for n in self.shown:
            self._operands(n)
        self._updates()
        return str(self.dot.source)

    def _defaults(self) -> None:
        self.dot.attr(
            "graph", rankdir="TB", newrank="true", nodesep="0.2", ranksep="0.3",
            fontname=_FONT, fontsize="13", fontcolor=_INK, tooltip=self.g.name,
        )  # fmt: skip
        self.dot.attr(
            "node", fontname=_FONT, fontsize="10", fontcolor=_INK, margin="0.12,0.045", height="0.3"
        )
        self.dot.attr("edge", arrowsize="0.6", color="#555555")

    # ---- nodes -------------------------------------------------------------------------------

    def _layer(self, layer: str) -> None:
        """Draws a layer's boxes side by side, a column each, between hidden ends in one row."""
        nodes = [n for n in self.shown if self.g.layer(n) == layer]
        if not self.columns:
            with self.dot.subgraph(name=f"cluster {layer}") as box:
                box.attr(
                    label=layer, labeljust="l", style="rounded", color="#999999", tooltip=layer
                )
                self._nodes(box, nodes)
        for column in self.columns:
            self._box(layer, column, [n for n in nodes if self.layout.column[n] == column])
        for end in ("top", "bottom"):
            with self.dot.subgraph() as row:
                row.attr(rank="same")
                for column in self.columns:
                    row.node(f"{layer} {column} {end}")

    def _box(self, layer: str, column: str, nodes: list[Node]) -> None:
        look = _LOOKS[column]
        top, bottom = f"{layer} {column} top", f"{layer} {column} bottom"
        name = f"cluster {layer} {column}" if nodes else None
        heading = f" {_HEADS[column]}" if len(self.columns) > 1 else ""
        with self.dot.subgraph(name=name) as box:
            box.attr(
                label=layer + heading, labeljust="l", style="rounded,filled",
                fillcolor=look.behind, color=look.line, penwidth="0.5", tooltip=layer + heading,
            )  # fmt: skip
            # In no group of their own: rather than cross the edges of a group, Graphviz tears
            # boxes apart, and then finds no places for them ("trouble in init_rank").
            box.node(top, **_POINT)
            box.node(bottom, **_POINT)
            self._nodes(box, nodes)
            for n in nodes:
                if n in self.layout.highest:
                    box.edge(top, self.g.names[n], style="invis", weight="0")
                if n in self.layout.lowest:
                    box.edge(self.g.names[n], bottom, style="invis", weight="0")
            box.edge(top, bottom, style="invis", weight="0")

    def _nodes(self, box: Digraph, nodes: Iterable[Node]) -> None:
        """Draws nodes in a box; those that one kernel call computes, in a box of their own."""
        calls: dict[object, list[Node]] = {}
        groups = self.g.schedule.groups if self.g.schedule is not None else {}
        for n in nodes:
            calls.setdefault(groups.get(n, n), []).append(n)
        for call, together in calls.items():
            if len(together) == 1:
                self._node(box, together[0])
                continue
            with box.subgraph(name=f"cluster {self.g.names[together[0]]} call") as inner:
                text = f"kernel call {call}"
                inner.attr(
                    label=text, labeljust="r", fontsize="9", style="dashed,rounded",
                    color="#333333", penwidth="1", tooltip=text,
                )  # fmt: skip
                for n in together:
                    self._node(inner, n)

    def _node(self, box: Digraph, n: Node) -> None:
        look = _shape(_LOOKS[self.roles[n]])
        if self.roles[n] == "update":
            look["margin"] = "0.18,0.045"  # the shape has two tabs in its left margin
        if n.op.fused:
            look["style"] += ",bold"
        if n in self.g.outputs.values():
            look["peripheries"] = "2"
        name = self.g.names[n]
        box.node(
            name, _label(label(self.g, n, self.sizes)), tooltip=_tooltip(tooltip(self.g, n)), **look
        )

    # ---- edges -------------------------------------------------------------------------------

    def _operands(self, n: Node) -> None:
        names = self.g.names
        line = _LOOKS[self.roles[n]].line
        taken = self.g.schedule.takeovers.get(n) if self.g.schedule is not None else None
        for slot, i in enumerate(n.inputs):
            if is_folded(self.g, i):
                continue
            relation = self.layout.relation(i, n) if self.columns else "below"
            if relation == "above":
                # A hidden edge the other way puts the reader above what it reads.
                self.dot.edge(names[n], names[i], style="invis", weight="2")
            main = self.roles[i] == self.roles[n]
            self.dot.edge(
                names[i], names[n], color=line, penwidth="1.5" if main else "0.8",
                tooltip=f"{names[i]} → {names[n]}, operand {slot}", **_PLACED[relation],
                **({"dir": "both", "arrowtail": "dot"} if i is taken else {}),
            )  # fmt: skip

    def _updates(self) -> None:
        names = self.g.names
        for target, value in self.g.updates.items():
            self.dot.edge(
                names[value], names[target], **_WRITES, constraint="false",
                tooltip=f"update {names[target]} = {names[value]}",
            )  # fmt: skip

    def _frame(self) -> None:
        """Orders the columns from left to right, and hangs the layers' boxes below each other."""
        with self.dot.subgraph() as row:
            row.attr(rank="same")
            for column in self.columns:
                row.node(f"head {column}", **_POINT)
            for left, right in pairwise(self.columns):
                row.edge(f"head {left}", f"head {right}", style="invis")
        for column in self.columns:
            ends = [f"head {column}"]
            for layer in self.g.layers:
                ends += [f"{layer} {column} top", f"{layer} {column} bottom"]
            for upper, lower in zip(ends[::2], ends[1::2], strict=False):
                self.dot.edge(upper, lower, style="invis", weight="8")

    # ---- legend ------------------------------------------------------------------------------

    def _legend(self) -> None:
        """A row that shows each shape and mark which the picture holds."""
        samples: list[tuple[str, _Look, dict[str, str]]]
        samples = [(role, look, {}) for role, look in _LOOKS.items() if self._has(role)]
        forward = _LOOKS["forward"]
        if any(n.op.fused for n in self.shown):
            samples.append(("fused", forward, {"style": forward.style + ",bold"}))
        if self.g.outputs:
            samples.append(("output", forward, {"peripheries": "2"}))
        names = [f"legend {name}" for name, _, _ in samples]
        with self.dot.subgraph(name="cluster legend") as box:
            box.attr(
                label=self.g.name, labeljust="l", style="rounded",
                color="#cccccc", rank="same", tooltip="legend",
            )  # fmt: skip
            for (name, look, more), key in zip(samples, names, strict=True):
                box.node(key, name, tooltip=name, **{**_shape(look), **more})
            notes = self._notes()
            if notes:
                names.append("legend notes")
                box.node(names[-1], "\\l".join([*notes, ""]), shape="plaintext", fontsize="9")
            for left, right in pairwise(names):
                box.edge(left, right, style="invis")
            written = next((k for k in ("legend state", "legend parameter") if k in names), "")
            if self.g.updates and written and "legend update" in names:
                box.edge("legend update", written, **_WRITES, constraint="false")
        for column in self.columns[:1]:
            self.dot.edge(names[0], f"head {column}", style="invis", weight="0")

    def _has(self, role: str) -> bool:
        return any(self.roles[n] == role for n in self.shown)

    def _notes(self) -> list[str]:
        """What the edges and numbers of this picture mean."""
        notes = []
        if self.g.updates:
            notes.append("dashed: the new value of what it points to")
        if self.g.schedule is not None:
            notes.append("#7: the kernel call that computes it")
        if self.g.schedule is not None and self.g.schedule.takeovers:
            notes.append("dot at the tail: the result takes over this buffer")
        return notes


def _shape(look: _Look) -> dict[str, str]:
    return {"shape": look.shape, "style": look.style, "fillcolor": look.fill, "color": look.line}


def _label(text: str) -> str:
    """The text as a label shows it literally, entities and backslashes too."""
    text = escape(printable(text), quote=False)
    return str(literal(text)).replace("\n", "\\n")


def _tooltip(text: str) -> str:
    """The text as a tooltip shows it literally: Graphviz reads the escapes of tooltips twice."""
    return _label(text.replace("\\", "\\\\"))
