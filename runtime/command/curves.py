"""Loss and accuracy as SVG: of one run by epoch, and of several by step."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from io import StringIO
from itertools import groupby
from typing import Any

import numpy as np

from ...graph import SETTINGS
from ...graph.labels import printable
from ..extras import require
from ..training.history import Row
from .comparison import Run

_BLUE, _ORANGE = "#1f5a99", "#c2570c"
_COLORS = ("#1f5a99", "#c2570c", "#2e8b57", "#8a3ffc", "#b8860b", "#d6336c", "#555555", "#0aa2c0")
_LOOKS = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "svg.hashsalt": "verigrad",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
}


def draw_curves(title: str, rows: Sequence[Row], test_accuracy: float | None) -> str:
    """Training and validation loss on the left, accuracy on the right; the same bytes each time."""

    def draw(figure: Any) -> None:
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

    return drawn(title, (9, 3.6), draw)


def draw_comparison(title: str, runs: Sequence[Run]) -> str:
    """The course's figure: training loss, training and validation accuracy by step.

    A line a variant; over several seeds their mean, with a band from the least to the most. The
    same bytes each time.
    """

    def draw(figure: Any) -> None:
        loss, train, validation = figure.subplots(1, 3)
        highest = 0.0
        for k, (label, found) in enumerate(groupby(runs, key=lambda run: run.label)):
            group = list(found)
            look: dict[str, Any] = {
                "label": label,
                "color": _COLORS[k % len(_COLORS)],
                "linewidth": 1.4,
            }
            look["linestyle"] = "--" if k % 3 == 2 else "-"  # Two that coincide are both seen.
            _band(loss, group[0].loss_steps, [run.losses for run in group], look)
            at = group[0].accuracy_steps
            _band(train, at, [run.train_accuracies for run in group], look)
            _band(validation, at, [run.validation_accuracies for run in group], look)
            highest = max([highest, *(run.losses[0] for run in group if run.losses)])
        loss.set(xlabel="step", title="training loss", ylim=(0, 1.05 * highest or 1))
        train.set(xlabel="step", title="training accuracy")
        validation.set(xlabel="step", title="validation accuracy")
        train.sharey(validation)
        handles, labels = validation.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)))

    return drawn(title, (11, 4.2), draw)


def drawn(title: str, size: tuple[float, float], draw: Callable[[Any], None]) -> str:
    """The SVG of a figure, without a date or anything else that changes."""
    matplotlib = require("matplotlib", "plot")
    figures = require("matplotlib.figure", "plot")
    with SETTINGS, matplotlib.rc_context(_LOOKS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = figures.Figure(figsize=size, layout="constrained")
        figure.suptitle(literal(title), fontsize=11)
        draw(figure)
        text = StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": "verigrad"})
    # A hundredth of a point is finer than any screen, and half of the file.
    return re.sub(r'd="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), text.getvalue())


def literal(text: str) -> str:
    """The text as matplotlib shows it literally, in one line: without formulas between dollars."""
    return printable(" ".join(text.splitlines())).replace("$", r"\$")


def _band(
    panel: Any, steps: Sequence[float], curves: Sequence[Sequence[float]], look: dict[str, Any]
) -> None:
    """The mean of the curves as far as all of them go, and what they span."""
    ends = min(len(curve) for curve in curves)
    values = np.array([curve[:ends] for curve in curves])
    panel.plot(steps[:ends], values.mean(axis=0), **look)
    if len(curves) > 1:
        low, high = values.min(axis=0), values.max(axis=0)
        panel.fill_between(steps[:ends], low, high, color=look["color"], alpha=0.2, linewidth=0)


def _line(
    panel: Any, epochs: Sequence[int], values: Sequence[float | None], label: str, color: str
) -> None:
    shown = [(e, v) for e, v in zip(epochs, values, strict=True) if v is not None]
    if shown:
        marker = "o" if len(shown) < 25 else None
        panel.plot(*zip(*shown, strict=True), label=label, color=color, marker=marker, markersize=3)
