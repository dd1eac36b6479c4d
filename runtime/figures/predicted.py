"""What was predicted beside what is true, as SVG: a confusion matrix, and numbers over numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ...graph import Array, shortened
from .figure import drawn, literal

_MOST_NUMBERS: Final = 20
"""Of more classes than that, cells have colours alone."""
_MOST_NAMES: Final = 60
"""Of more than that, they have no names."""
_MOST_POINTS: Final = 5000
_BLUE, _GREY = "#1f5a99", "#555555"


def draw_confusion(title: str, told: str, classes: Sequence[str], counts: Array) -> str:
    """How many rows of each class (rows) were given to each class (columns), i64[C,C]; colours are
    shares of the row, and `told` stands above. The same bytes each time."""
    rows = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    names = [literal(shortened(name, 20)) for name in classes]
    many = len(classes)
    upright = many > 6 or max(map(len, names)) > 12

    def draw(figure: Any) -> None:
        panel = figure.subplots()
        image = panel.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
        panel.grid(visible=False)
        if many <= _MOST_NUMBERS:
            for (i, j), count in np.ndenumerate(counts):
                color = "white" if shares[i, j] > 0.6 else "#222222"
                panel.text(j, i, f"{count:,}", ha="center", va="center", color=color, fontsize=8)
        ticks = range(many) if many <= _MOST_NAMES else []
        named = names if many <= _MOST_NAMES else []
        panel.set_xticks(ticks, named, rotation=90 if upright else 0, fontsize=8)
        panel.set_yticks(ticks, named, fontsize=8)
        panel.set(xlabel="predicted", ylabel="true")
        panel.set_title(told, fontsize=9)
        figure.colorbar(image, ax=panel, label="share of the true class", shrink=0.8)

    side = min(12.0, 4.0 + 0.3 * many)
    return drawn(title, (side + 1.2, side), draw)


def draw_predicted(title: str, told: str, true: Array, predicted: Array) -> str:
    """Predicted numbers over true ones, both [rows], with the line on which they are equal; of
    more than 5,000 rows, so many evenly spaced. `told` stands above. The same bytes each time."""
    step = -(-len(true) // _MOST_POINTS)
    ends = [float(f(values)) for values in (true, predicted) for f in (np.min, np.max)]
    least, most = min(ends), max(ends)

    def draw(figure: Any) -> None:
        panel = figure.subplots()
        panel.plot([least, most], [least, most], color=_GREY, linewidth=1, label="equal")
        panel.scatter(true[::step], predicted[::step], s=10, color=_BLUE, alpha=0.6, linewidths=0)
        panel.set(xlabel="true", ylabel="predicted")
        panel.set_title(told, fontsize=9)
        panel.locator_params(nbins=6)
        panel.legend()

    return drawn(title, (6.0, 5.4), draw)
