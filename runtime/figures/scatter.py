"""The figure of a tuning: a measure by each of the options that were tried."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from .figure import drawn, literal

_ACROSS: Final = 3
"""So many panels stand side by side."""
_CHARACTERS: Final = 30
"""So many of the names of choices stand below a panel."""


class Column(NamedTuple):
    """An option: its name, its value in each trial, numbers or texts, and whether it is drawn by
    powers of ten."""

    name: str
    values: Sequence[float | str]
    log: bool


class Point(NamedTuple):
    """A trial: its measure, and whether it came to its end, and as the best of all."""

    value: float
    done: bool
    best: bool


_LOOKS: Final[tuple[tuple[str, Callable[[Point], bool], dict[str, Any]], ...]] = (
    ("to its end", lambda p: p.done and not p.best, {"color": "#1f77b4"}),
    ("ended early", lambda p: not p.done, {"edgecolors": "#999999", "facecolors": "none"}),
    ("best", lambda p: p.best, {"color": "#d62728", "marker": "D"}),
)


def draw_trials(
    title: str, measure: str, columns: Sequence[Column], points: Sequence[Point]
) -> str:
    """SVG with a panel for each option: a point a trial, a hollow one where it ended early."""
    across = max(1, min(_ACROSS, len(columns)))
    down = max(1, -(-len(columns) // across))

    def draw(figure: Any) -> None:
        panels = figure.subplots(down, across, squeeze=False, sharey=True).flatten()
        for panel, column in zip(panels, columns, strict=False):
            _panel(panel, column, points)
        for panel in panels[len(columns) :]:
            panel.set_visible(False)
        for panel in panels[::across]:
            panel.set_ylabel(measure)
        if panels[0].collections:
            panels[0].legend(loc="best", fontsize=8)

    return drawn(title, (1 + 3.2 * across, 0.8 + 2.8 * down), draw)


def _panel(panel: Any, column: Column, points: Sequence[Point]) -> None:
    names = [*dict.fromkeys(map(str, column.values))]
    texts = any(isinstance(v, str) for v in column.values)
    at = [names.index(str(v)) if texts else float(v) for v in column.values]
    for label, belongs, look in _LOOKS:
        kept = [
            (x, p.value)
            for x, p in zip(at, points, strict=True)
            if belongs(p) and math.isfinite(p.value)
        ]
        if kept:
            panel.scatter(*zip(*kept, strict=True), s=22, label=label, **look)
    if texts:
        turned = 30 if sum(map(len, names)) > _CHARACTERS else 0
        panel.set_xticks(range(len(names)), [literal(name) for name in names], rotation=turned)
        panel.set_xlim(-0.5, len(names) - 0.5)
    elif column.log:
        panel.set_xscale("log")
    panel.set_xlabel(literal(column.name))
