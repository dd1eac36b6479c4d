"""What goes wrong in a run without an error, and is warned of once: its loss, its predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from ...graph import warn
from ...ops import words
from ..program import Program
from .callback import Callback
from .dataset import DataSet, Labelled
from .history import Row

_LOOKED_AT: Final = 1000
"""How many rows are looked at."""
_TIMES: Final = 10
_IN_A_ROW: Final = 10
"""How many steps have to say that the loss is so many times what it was."""
_EPOCHS: Final = 3
_STEPS: Final = 20
"""How long a run has to be before it is judged by what it predicts."""
_MOST: Final = 0.9
"""Where one class has a larger share of the labels, to predict it alone may be right."""


class Rising(Callback):
    """Warns where the loss of every step, for some time, is many times that of the first.

    Of a classifier, only of a loss that is worse than that of knowing nothing, ln C. A loss that
    can be negative has no such ratio.
    """

    def __init__(self, first: float | None, classes: int | None) -> None:
        self._first = first
        self._least = math.log(classes) if classes is not None else 0.0
        self._steps = 0
        self._above = 0
        self._last = 0.0
        self._told = False
        self._bound = self._bounded(first) if first is not None else 0.0

    def _bounded(self, first: float) -> float:
        return max(_TIMES * first, self._least) if first > 0 else math.inf

    def on_step(self, step: int, loss: float) -> None:
        """Counts the steps in a row whose loss is too large."""
        if self._first is None:
            self._first, self._bound = loss, self._bounded(loss)
        self._steps += 1
        if loss > self._bound:
            self._above += 1
            self._last = loss
            if self._above == _IN_A_ROW:
                self._tell()
            return
        self._above = 0
        if loss < 0:
            self._bound = math.inf

    def end(self) -> None:
        """The same of a run that had too few steps: where all its later ones are too large."""
        if _EPOCHS <= self._above < _IN_A_ROW and 2 * self._above >= self._steps - 1:
            self._tell()

    def _tell(self) -> None:
        if self._told:
            return
        self._told = True
        assert self._first is not None
        warn(
            f"the loss is {self._last:.4g}, {self._last / self._first:.3g} times that of the "
            f"first step, {self._first:.4g}: training diverges; give the optimizer a smaller lr, "
            "or bound the gradients with clip=vg.ClipNorm(1.0)"
        )


def warn_of_one_class(
    program: Program, data: DataSet, classifier: Labelled | None, rows: Sequence[Row]
) -> None:
    """Warns where a classifier, after some epochs, predicts the same class for all rows."""
    last = rows[-_EPOCHS:]
    if classifier is None or len(last) < _EPOCHS or last[-1].step - rows[0].step < _STEPS:
        return
    labels = data.arrays[classifier.labels]
    share = np.unique(labels, return_counts=True)[1].max() / data.count
    best = max(row.train_accuracy or 0.0 for row in last)
    if share > _MOST or best > share + 0.1:
        return  # and nothing has to be predicted, as in most runs
    some = np.argsort(words(0, "watched rows", data.count), kind="stable")[:_LOOKED_AT]
    at_once = program.rows_at_a_time(_LOOKED_AT)
    classes: set[int] = set()
    for start in range(0, len(some), at_once):
        part = np.sort(some[start : start + at_once])
        scores = program.predict({k: a[part] for k, a in data.arrays.items()})[classifier.scores]
        classes |= set(scores.argmax(axis=1).tolist())
    if len(classes) == 1:
        warn(
            f"the class {classes.pop()} is predicted for all of {len(some):,} rows of the data, "
            f"whose most frequent class has a share of {share:.0%}: nothing was learned; look at "
            "the scale of the inputs, the labels and the rate"
        )
