"""The figure of a tuning: a measure by each of the options that were tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from .figure import drawn, literal

_ACROSS: Final = 3
"""So many panels stand side by side."""


class Column(NamedTuple):
    """An option: its name, its value in each trial, numbers or texts, and whether it is drawn by
    powers of ten."""

    name: str
    values: Sequence[float | str]
    log: bool


def draw_trials(
    title: str,
    measure: str,
    columns: Sequence[Column],
    values: Sequence[float],
    done: Sequence[bool],
) -> str:
    """SVG with a panel for each option: a point a trial, a hollow one where it ended early."""
    across = max(1, min(_ACROSS, len(columns)))
    down = max(1, -(-len(columns) // across))

    def draw(figure: Any) -> None:
        panels = figure.subplots(down, across, squeeze=False, sharey=True).flatten()
        for panel, column in zip(panels, columns, strict=False):
            _panel(panel, column, values, done)
        for panel in panels[len(columns) :]:
            panel.set_visible(False)
        for panel in panels[::across]:
            panel.set_ylabel(measure)
        if len(values):
            panels[0].legend(loc="best", fontsize=8)

    return drawn(title, (1 + 3.2 * across, 0.8 + 2.8 * down), draw)


def _panel(panel: Any, column: Column, values: Sequence[float], done: Sequence[bool]) -> None:
    names = [*dict.fromkeys(map(str, column.values))]
    texts = any(isinstance(v, str) for v in column.values)
    at = [names.index(str(v)) if texts else float(v) for v in column.values]
    for is_done, label, look in (
        (True, "to its end", {"color": "#1f77b4"}),
        (False, "ended early", {"edgecolors": "#999999", "facecolors": "none"}),
    ):
        kept = [
            (x, y) for x, y, d in zip(at, values, done, strict=True)
            if d == is_done and math.isfinite(y)
        ]  # fmt: skip
        if kept:
            panel.scatter(*zip(*kept, strict=True), s=22, label=label, **look)
    if texts:
        panel.set_xticks(range(len(names)), [literal(name) for name in names])
    elif column.log:
        panel.set_xscale("log")
    panel.set_xlabel(literal(column.name))
