"""Loss and accuracy as SVG: of one run by epoch, and of several by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..optional import require
from .figure import drawn

_BLUE, _ORANGE = "#1f5a99", "#c2570c"
_COLORS = ("#1f5a99", "#c2570c", "#2e8b57", "#8a3ffc", "#b8860b", "#d6336c", "#555555", "#0aa2c0")


class Curve(NamedTuple):
    """One run by step: its losses, and the scores of both parts at some of the steps."""

    loss_steps: Sequence[float]
    losses: Sequence[float]
    score_steps: Sequence[float]
    train_scores: Sequence[float]
    validation_scores: Sequence[float]


def draw_curves(
    title: str,
    epochs: Sequence[int],
    train_losses: Sequence[float],
    validation_losses: Sequence[float | None],
    validation_accuracies: Sequence[float | None],
    test_accuracy: float | None,
) -> str:
    """Training and validation loss on the left, accuracy, where there is any, on the right; the
    same bytes each time.

    The columns have a number for each epoch, None where it was not measured.
    """
    has_accuracy = test_accuracy is not None or any(v is not None for v in validation_accuracies)

    def draw(figure: Any) -> None:
        panels = figure.subplots(1, 1 + has_accuracy, squeeze=False)[0]
        loss = panels[0]
        _line(loss, epochs, train_losses, "training", _BLUE)
        _line(loss, epochs, validation_losses, "validation", _ORANGE)
        if all(value > 0 for line in loss.lines for value in line.get_ydata()):
            loss.set_yscale("log")
        loss.set(xlabel="epoch", ylabel="loss")
        for accuracy in panels[1:]:
            _line(accuracy, epochs, validation_accuracies, "validation", _ORANGE)
            if test_accuracy is not None:
                label = f"test, at the end: {test_accuracy:.4f}"
                accuracy.axhline(test_accuracy, color="#333333", linestyle=":", label=label)
            accuracy.set(xlabel="epoch", ylabel="accuracy")
        for panel in panels:
            panel.xaxis.set_major_locator(
                require("matplotlib.ticker", "plot").MaxNLocator(integer=True)
            )
            if panel.get_legend_handles_labels()[1]:
                panel.legend()

    return drawn(title, (9, 3.6), draw)


def draw_comparison(
    title: str, variants: Mapping[str, Sequence[Curve]], measure: str = "accuracy"
) -> str:
    """The course's figure: training loss, and a measure of training and validation, by step.

    A line a variant; over several curves their mean, with a band from the least to the most. The
    same bytes each time.
    """

    def draw(figure: Any) -> None:
        loss, train, validation = figure.subplots(1, 3)
        highest = 0.0
        for k, (label, group) in enumerate(variants.items()):
            look: dict[str, Any] = {
                "label": label,
                "color": _COLORS[k % len(_COLORS)],
                "linewidth": 1.4,
            }
            look["linestyle"] = "--" if k % 3 == 2 else "-"  # Two that coincide are both seen.
            _band(loss, group[0].loss_steps, [curve.losses for curve in group], look)
            at = group[0].score_steps
            _band(train, at, [curve.train_scores for curve in group], look)
            _band(validation, at, [curve.validation_scores for curve in group], look)
            highest = max([highest, *(curve.losses[0] for curve in group if curve.losses)])
        loss.set(xlabel="step", title="training loss", ylim=(0, 1.05 * highest or 1))
        train.set(xlabel="step", title=f"training {measure}")
        validation.set(xlabel="step", title=f"validation {measure}")
        train.sharey(validation)
        if measure == "R2":  # which may be of any size below 0, as before the first step
            validation.set_ylim(-0.2, 1.02)
        handles, labels = validation.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)))

    return drawn(title, (11, 4.2), draw)


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
