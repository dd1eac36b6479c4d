"""What a picture shows, before it is drawn: items in parts and columns, and edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

COLUMNS: Final = ("forward", "backward", "update")

Mark = Literal["added", "removed", "rewritten"]


class Item(NamedTuple):
    """What is drawn as one shape: a node, a kernel call, or a layer's share of a column.

    `part` is the layer, or the loss, in whose box it stands; `call` the smaller box within.
    """

    key: str
    role: str
    text: str
    tooltip: str
    column: str
    part: str | None = None
    call: str | None = None
    fused: bool = False
    output: bool = False
    mark: Mark | None = None


class Edge(NamedTuple):
    """From what is read to what reads it; dashed where it is written to parameters and state."""

    tail: str
    head: str
    tooltip: str
    writes: bool = False
    taken: bool = False
    mark: Mark | None = None


class View(NamedTuple):
    """All that a picture shows. `parts` stand below each other, and what is of none above them;
    each has a box a column where it is `boxed`."""

    title: str
    items: Sequence[Item]
    edges: Sequence[Edge]
    parts: Sequence[str] = ()
    notes: Sequence[str] = ()
    boxed: bool = True

    @property
    def columns(self) -> list[str]:
        """The columns that hold anything, from left to right."""
        used = {item.column for item in self.items}
        return [c for c in COLUMNS if c in used]

    def cell(self, part: str | None, column: str) -> list[Item]:
        """What stands in a part's share of a column."""
        return [i for i in self.items if i.part == part and i.column == column]
