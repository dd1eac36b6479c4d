"""Loss and accuracy by epoch, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Any

from ..extras import require
from ..training.history import Row

_BLUE, _ORANGE = "#1f5a99", "#c2570c"


def draw_curves(title: str, rows: Sequence[Row], test_accuracy: float | None) -> str:
    """Training and validation loss on the left, accuracy on the right; the same bytes each time."""
    matplotlib = require("matplotlib", "plot")
    figures = require("matplotlib.figure", "plot")
    looks = {
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "svg.hashsalt": "verigrad",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#e4e4e4",
        "legend.frameon": False,
    }
    with matplotlib.rc_context(looks):
        figure = figures.Figure(figsize=(9, 3.6), layout="constrained")
        figure.suptitle(title, fontsize=11)
        loss, accuracy = figure.subplots(1, 2)
        epochs = [row.epoch for row in rows]
        _line(loss, epochs, [row.train_loss for row in rows], "training", _BLUE)
        _line(loss, epochs, [row.validation_loss for row in rows], "validation", _ORANGE)
        if all(value > 0 for line in loss.lines for value in line.get_ydata()):
            loss.set_yscale("log")
        loss.set(xlabel="epoch", ylabel="loss")
        shares = [row.validation_accuracy for row in rows]
        _line(accuracy, epochs, shares, "validation", _ORANGE)
        if test_accuracy is not None:
            label = f"test, at the end: {test_accuracy:.4f}"
            accuracy.axhline(test_accuracy, color="#333333", linestyle=":", label=label)
        accuracy.set(xlabel="epoch", ylabel="accuracy")
        for panel in (loss, accuracy):
            panel.xaxis.set_major_locator(
                require("matplotlib.ticker", "plot").MaxNLocator(integer=True)
            )
            if panel.get_legend_handles_labels()[1]:
                panel.legend()
        text = StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": "verigrad"})
    return text.getvalue()


def _line(
    panel: Any, epochs: Sequence[int], values: Sequence[float | None], label: str, color: str
) -> None:
    shown = [(e, v) for e, v in zip(epochs, values, strict=True) if v is not None]
    if shown:
        marker = "o" if len(shown) < 25 else None
        panel.plot(*zip(*shown, strict=True), label=label, color=color, marker=marker, markersize=3)
