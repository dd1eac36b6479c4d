"""How good predictions are, in words, in types that JSON has, and as a picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ...graph import Array, shortened
from ..figures.predicted import draw_confusion, draw_predicted
from ..metrics.classification import auc_by_class, by_class, confusion
from .scoring import line_of, metrics_of, number, plain

_OF_CLASSES: Final = ("balanced_accuracy", "precision", "recall", "f1", "auc", "log_loss")
_OF_NUMBERS: Final = ("rmse", "mae", "r2", "median_error", "mape")
_MOST: Final = 30
"""Of more classes than that, no matrix is printed."""
_LONGEST: Final = 24


class Scorecard(ABC):
    """What predictions are worth: `metrics` by name, of so many rows."""

    metrics: dict[str, float]
    rows: int

    @property
    @abstractmethod
    def line(self) -> str:
        """The first of it."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON has it."""

    @abstractmethod
    def draw(self, title: str) -> str:
        """An SVG of it."""


class NumberCard(Scorecard):
    """Of numbers [rows] that were predicted for those that are true."""

    def __init__(self, true: Array, predicted: Array) -> None:
        self.true = true
        self.predicted = predicted
        self.rows = len(true)
        self.metrics = metrics_of(true, predicted, "regression", _OF_NUMBERS)

    @property
    def line(self) -> str:
        """Such as: RMSE 3.2104, MAE 2.1000, R2 0.8712 of 89 rows."""
        first = {name: self.metrics[name] for name in _OF_NUMBERS[:3]}
        return f"{line_of(first)} of {_rows(self.rows)}"

    def __str__(self) -> str:
        rest = {name: self.metrics[name] for name in _OF_NUMBERS[3:]}
        return f"{self.line}\n{line_of(rest)}"

    def as_dict(self) -> dict[str, Any]:
        """The metrics by name."""
        return {"rows": self.rows, "metrics": plain(self.metrics)}

    def draw(self, title: str) -> str:
        """What was predicted over what is true."""
        return draw_predicted(title, self.line, self.true, self.predicted)


class ClassCard(Scorecard):
    """Of scores [rows,C] for labels, the names of classes; rows of no known class are wrong, and in
    none of the tables."""

    def __init__(self, labels: Array, scores: Array, classes: Sequence[str]) -> None:
        self.classes = classes
        number_of = {name: i for i, name in enumerate(classes)}
        true = np.array([number_of.get(str(label), -1) for label in labels], np.int64)
        self.rows = len(true)
        known = true >= 0
        self.metrics = {"accuracy": float(np.mean(scores.argmax(axis=1) == true))}
        self.others = int(np.count_nonzero(~known))
        true, scores = true[known], scores[known]
        self.counts = np.zeros((len(classes), len(classes)), np.int64)
        self.areas = np.full(len(classes), np.nan)
        if len(true):
            self.metrics |= metrics_of(true, scores, "classification", _OF_CLASSES)
            self.counts = confusion(true, scores)
            self.areas = auc_by_class(true, scores)
        self.by_class = by_class(self.counts)

    @property
    def line(self) -> str:
        """Such as: accuracy 0.9333 of 30 rows."""
        return f"accuracy {self.metrics['accuracy']:.4f} of {_rows(self.rows)}"

    def __str__(self) -> str:
        rest = {name: v for name, v in self.metrics.items() if name != "accuracy"}
        parts = [self.line, *([line_of(rest)] if rest else [])]
        if self.others:
            parts.append(f"not in the tables below: {_rows(self.others)} of other classes")
        parts += ["", *self._by_class()]
        if len(self.classes) <= _MOST:
            parts += ["", *self._matrix()]
        return "\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """The metrics, those of each class, and the matrix: rows are true, columns predicted."""
        found = self.by_class
        columns = (found.precision, found.recall, found.f1, self.areas)
        names = ("precision", "recall", "f1", "auc")
        classes = {}
        for i, name in enumerate(self.classes):
            values = {k: float(v[i]) for k, v in zip(names, columns, strict=True)}
            classes[name] = {**plain(values), "rows": int(found.rows[i])}
        return {
            "rows": self.rows,
            "metrics": plain(self.metrics),
            "by_class": classes,
            "confusion": {"classes": list(self.classes), "counts": self.counts.tolist()},
        }

    def draw(self, title: str) -> str:
        """The matrix, in colours by the share of each true class."""
        return draw_confusion(title, self.line, self.classes, self.counts)

    def _by_class(self) -> list[str]:
        found = self.by_class
        table = [["class", "precision", "recall", "F1", "ROC AUC", "rows"]]
        for i, name in enumerate(self.classes):
            shares = (found.precision[i], found.recall[i], found.f1[i], self.areas[i])
            cells = ["-" if np.isnan(v) else number(float(v)) for v in shares]
            table.append([shortened(name, _LONGEST), *cells, f"{found.rows[i]:,}"])
        return aligned(table)

    def _matrix(self) -> list[str]:
        names = [shortened(name, _LONGEST) for name in self.classes]
        rows = [[n, *(f"{c:,}" for c in row)] for n, row in zip(names, self.counts, strict=True)]
        return [
            "confusion matrix: rows are true, columns predicted",
            *aligned([["", *names], *rows]),
        ]


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count != 1 else ''}"


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column to the left, all others to the right."""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = []
    for first, *cells in table:
        rest = [f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([f"{first:<{widths[0]}}", *rest]).rstrip())
    return lines
