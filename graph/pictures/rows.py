"""In which row of a picture each item stands: forward runs down, backward up, part below part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..sources import Constant, Input, Parameter, State
from .view import COLUMNS, Item, View

SOURCES = frozenset(kind.name for kind in (Constant, Input, Parameter, State))
"""The roles of what nothing computes."""


class Rows(NamedTuple):
    """The row of each item, from 0 at the top, and of the title of each box; how many there are."""

    of: Mapping[str, int]
    titles: Mapping[tuple[str, str], int]
    height: int


def rows(view: View) -> Rows:
    """Each cell's items by how far they are from what the cell reads; a source stands just before
    its first reader. Rows are what keeps parts below each other and columns beside each other: a
    ranking of Graphviz's own contradicts boxes now and then, and then nothing is drawn."""
    of: dict[str, int] = {}
    titles: dict[tuple[str, str], int] = {}
    start = 0
    for part in (None, *view.parts):
        cells = {column: view.cell(part, column) for column in COLUMNS}
        if not any(cells.values()):
            continue
        if part is not None and view.boxed:
            titles |= {(part, column): start for column, cell in cells.items() if cell}
            start += 1
        levels = {column: _levels(view, cell) for column, cell in cells.items()}
        height = 1 + max(max(found.values(), default=0) for found in levels.values())
        for column, found in levels.items():
            for key, level in found.items():
                of[key] = start + (height - 1 - level if column == "backward" else level)
        start += height
    return Rows(of, titles, start)


def _levels(view: View, cell: Sequence[Item]) -> dict[str, int]:
    """The longest way to each item from those of the cell that read nothing of it."""
    here = {item.key: item for item in cell}
    reads: dict[str, list[str]] = {key: [] for key in here}
    for e in view.edges:
        if e.tail in here and e.head in here and not e.writes and e.tail != e.head:
            reads[e.head].append(e.tail)
    level: dict[str, int] = {}
    for key in here:
        _reach(key, reads, level)
    for key, item in here.items():
        if item.role in SOURCES:
            readers = [level[k] for k, tails in reads.items() if key in tails]
            level[key] = max(0, min(readers, default=1) - 1)
    return level


def _reach(key: str, reads: Mapping[str, Sequence[str]], level: dict[str, int]) -> None:
    """Sets the level of an item and of all that it reads; of a cycle, one edge counts for none."""
    stack, open_ = [key], set[str]()
    while stack:
        k = stack[-1]
        if k in level:
            stack.pop()
            continue
        below = [i for i in reads[k] if i not in level and i not in open_]
        if below and k not in open_:
            open_.add(k)
            stack += below
            continue
        level[k] = 1 + max([level[i] for i in reads[k] if i in level], default=-1)
        stack.pop()
