"""A view in Graphviz's language: rows below each other, columns beside each other, a legend."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import pairwise
from typing import Final

from graphviz import Digraph
from graphviz import escape as literal

from .labels import printable
from .looks import FONT, INK, LOOKS, MARKS, SIGNS, UNCHANGED, Look
from .rows import rows
from .view import Edge, Item, View

_LARGE: Final = 100
"""With more items, Graphviz is to place them in a third of the time, and a little less well."""
_WRITES: Final = {"style": "dashed", "color": LOOKS["update"].line, "arrowhead": "vee"}
_POINT: Final = {"style": "invis", "shape": "point", "width": "0", "height": "0", "label": ""}
_ARROWS: Final = {"TB": {"forward": "↓", "backward": "↑"}, "LR": {"forward": "→", "backward": "←"}}
_TITLE: Final = {"shape": "plaintext", "height": "0.2", "margin": "0.04,0.0", "fontsize": "13"}


def dot_of(view: View, direction: str = "TB", in_columns: bool = True) -> str:
    """The text, the same for the same view.

    Without columns, items stand where Graphviz puts them: it draws some views in no other way.
    """
    return _Writer(view, direction, in_columns).source()


class _Writer:
    def __init__(self, view: View, direction: str, in_columns: bool) -> None:
        self.view = view
        self.in_columns = in_columns
        self.rows = rows(view)
        self.columns = view.columns
        self.role = {item.key: item.role for item in view.items}
        self.marked = any(item.mark for item in view.items)
        self.dot = Digraph(view.title)
        self.direction = direction

    def source(self) -> str:
        self._defaults()
        self._legend()
        if self.in_columns:
            self._rows()
            self._order()
        self._items(self.dot, [i for i in self.view.items if not self._is_boxed(i)])
        for part in self.view.parts if self.view.boxed else ():
            for column in self.columns if self.in_columns else [None]:
                self._box(part, column)
        for e in self.view.edges:
            self._edge(e)
        return str(self.dot.source)

    def _is_boxed(self, item: Item) -> bool:
        return self.view.boxed and item.part in self.view.parts

    def _defaults(self) -> None:
        self.dot.attr(
            "graph", rankdir=self.direction, newrank="true", nodesep="0.2", ranksep="0.25",
            fontname=FONT, fontsize="13", fontcolor=INK, tooltip=self.view.title,
            **({"nslimit": "2"} if len(self.view.items) > _LARGE else {}),
        )  # fmt: skip
        self.dot.attr(
            "node", fontname=FONT, fontsize="10", fontcolor=INK, margin="0.12,0.045", height="0.3"
        )
        self.dot.attr("edge", arrowsize="0.6", color="#555555")

    # ---- rows and columns ----------------------------------------------------------------------

    def _rows(self) -> None:
        """A chain of hidden points, one a row, and with each what stands in the row."""
        held: dict[int, list[str]] = {k: [] for k in range(self.rows.height)}
        for key, row in self.rows.of.items():
            held[row].append(key)
        for (part, column), row in self.rows.titles.items():
            held[row].append(_title(part, column))
        for k, keys in held.items():
            with self.dot.subgraph() as together:
                together.attr(rank="same")
                together.node(f"row {k}", **_POINT)
                for key in keys:
                    together.node(key)
        chain = ["row head", *(f"row {k}" for k in held)]
        for upper, lower in pairwise(chain):
            self.dot.edge(upper, lower, style="invis", weight="0")

    def _order(self) -> None:
        """The columns' heads from left to right, and the titles of the boxes below them."""
        seen = len(self.columns) > 1 and not self.view.boxed
        with self.dot.subgraph() as head:
            head.attr(rank="same")
            head.node("row head", **_POINT)
            for column in self.columns:
                look = {**_TITLE, "label": self._head(column)} if seen else _POINT
                head.node(f"head {column}", **look)
            for left, right in pairwise(self.columns):
                head.edge(f"head {left}", f"head {right}", style="invis")
        for column in self.columns:
            chain = [f"head {column}"]
            for part in self.view.parts:
                if (part, column) in self.rows.titles:
                    chain.append(_title(part, column))
                elif not self.view.boxed:
                    chain += [i.key for i in self.view.cell(part, column)[-1:]]
            for upper, lower in pairwise(chain):
                self.dot.edge(upper, lower, style="invis", weight="2")
        for part in self.view.parts:
            beside = [_title(part, c) for c in self.columns if (part, c) in self.rows.titles]
            for left, right in pairwise(beside):
                self.dot.edge(left, right, style="invis")

    def _head(self, column: str) -> str:
        """What a column is called, with an arrow to where it runs."""
        return f"{column} {_ARROWS[self.direction].get(column, '')}".rstrip()

    # ---- boxes and items -----------------------------------------------------------------------

    def _box(self, part: str, column: str | None) -> None:
        """A part's box in a column. Its title is an item in it, which no edge crosses."""
        items = [i for i in self.view.items if i.part == part and column in (None, i.column)]
        if not items:
            return
        look = LOOKS[column or "forward"]
        heading = f"{part} {self._head(column)}" if column and len(self.columns) > 1 else part
        with self.dot.subgraph(name=f"cluster {part} {column or 'all'}") as box:
            box.attr(
                style="rounded,filled", fillcolor=look.behind, color=look.line, penwidth="0.5",
                tooltip=_tooltip(heading), label="",
            )  # fmt: skip
            box.node(_title(part, column), _label(heading), tooltip=_tooltip(heading), **_TITLE)
            self._items(box, items)

    def _items(self, box: Digraph, items: Iterable[Item]) -> None:
        calls: dict[str, list[Item]] = {}
        for item in items:
            calls.setdefault(item.call or "", []).append(item)
        for call, together in calls.items():
            if not call:
                for item in together:
                    self._item(box, item)
                continue
            with box.subgraph(name=f"cluster {together[0].key} call") as inner:
                inner.attr(
                    label="", style="dashed,rounded", color="#333333", penwidth="1", tooltip=call,
                )  # fmt: skip
                for item in together:
                    self._item(inner, item)

    def _item(self, box: Digraph, item: Item) -> None:
        look = LOOKS[item.role].attributes()
        text = item.text
        if item.role == "update":
            look["margin"] = "0.18,0.045"  # the shape has two tabs in its left margin
        if self.marked:
            look |= UNCHANGED
        if item.mark is not None:
            colours = MARKS[item.mark]
            look |= {"fillcolor": colours.fill, "color": colours.line, "fontcolor": INK}
            text = f"{SIGNS[item.mark]} {text}"
        if item.mark == "removed":
            look["style"] += ",dashed"
        if item.fused:
            look["style"] += ",bold"
        if item.output:
            look["peripheries"] = "2"
        box.node(item.key, _label(text), tooltip=_tooltip(item.tooltip), **look)

    def _edge(self, e: Edge) -> None:
        tooltip = _tooltip(e.tooltip)
        if e.writes:
            more = {"constraint": "false", "weight": "0"} if self.in_columns else _FREE
            self.dot.edge(e.tail, e.head, tooltip=tooltip, **{**_WRITES, **more})
            return
        main = self.role[e.tail] == self.role[e.head]
        look = {"color": LOOKS[self.role[e.head]].line, "penwidth": "1.5" if main else "0.8"}
        if self.marked:
            look["color"] = MARKS[e.mark].line if e.mark else "#bbbbbb"
        if e.mark == "removed":
            look["style"] = "dashed"
        if e.taken:
            look |= {"dir": "both", "arrowtail": "dot"}
        if self.in_columns:
            look |= self._pull(e, main)
        self.dot.edge(e.tail, e.head, tooltip=tooltip, **look)

    def _pull(self, e: Edge, main: bool) -> dict[str, str]:
        """An edge that runs down pulls its ends below each other; rows are fixed without it."""
        if self.rows.of[e.tail] < self.rows.of[e.head]:
            return {"weight": "8"} if main else {}
        if main and self.rows.of[e.tail] > self.rows.of[e.head]:
            # Graphviz pulls along edges that run down alone.
            self.dot.edge(e.head, e.tail, style="invis", weight="8")
        return {"constraint": "false"}

    # ---- legend --------------------------------------------------------------------------------

    def _legend(self) -> None:
        """A row that shows each shape and mark which the picture holds."""
        samples = [(name, {**look.attributes(), **more}) for name, look, more in self._samples()]
        names = [f"legend {name}" for name, _ in samples]
        with self.dot.subgraph(name="cluster legend") as box:
            box.attr(
                label=self.view.title, labeljust="l", style="rounded",
                color="#cccccc", rank="same", tooltip="legend",
            )  # fmt: skip
            for (name, look), key in zip(samples, names, strict=True):
                box.node(key, name, tooltip=name, **look)
            if self.view.notes:
                names.append("legend notes")
                notes = "\\l".join([*map(_label, self.view.notes), ""])
                box.node(names[-1], notes, shape="plaintext", fontsize="9")
            for left, right in pairwise(names):
                box.edge(left, right, style="invis")
            written = next((k for k in ("legend state", "legend parameter") if k in names), "")
            if any(e.writes for e in self.view.edges) and written and "legend update" in names:
                box.edge("legend update", written, **_WRITES, constraint="false")
        if names and self.in_columns:
            self.dot.edge(names[0], "row head", style="invis", weight="0")

    def _samples(self) -> list[tuple[str, Look, dict[str, str]]]:
        items = self.view.items
        grey = UNCHANGED if self.marked else {}
        roles = {item.role for item in items}
        samples = [(role, look, dict(grey)) for role, look in LOOKS.items() if role in roles]
        forward = LOOKS["forward"]
        if any(item.fused for item in items):
            samples.append(("fused", forward, {**grey, "style": forward.style + ",bold"}))
        if any(item.output for item in items):
            samples.append(("output", forward, {**grey, "peripheries": "2"}))
        marks = {item.mark for item in items}
        return samples + [(mark, look, {}) for mark, look in MARKS.items() if mark in marks]


_FREE: Final = {"constraint": "false"}


def _title(part: str, column: str | None) -> str:
    return f"title {part} {column or ''}".rstrip()


def _label(text: str) -> str:
    """The text as a label shows it literally, entities and backslashes too."""
    text = escape(printable(text), quote=False)
    return str(literal(text)).replace("\n", "\\n")


def _tooltip(text: str) -> str:
    """The text as a tooltip shows it literally: Graphviz reads the escapes of tooltips twice."""
    return _label(text.replace("\\", "\\\\"))
