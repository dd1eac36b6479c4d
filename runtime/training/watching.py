"""What goes wrong in a run without an error, and is warned of once: its loss, its predictions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np

from ...graph import Array, warn
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
_MANY: Final = 200
"""So many steps are as good as _EPOCHS, where no class is more frequent than all others."""
_MOST: Final = 0.9
"""Where one class has a larger share of the labels, to predict it alone may be right."""


class Watcher(Callback):
    """Looks at a run while it goes on, and once more at its `end`; warns once, changes nothing."""

    def end(self) -> None:
        """The run is over."""


class Rising(Watcher):
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


class ValidationNotFinite(Watcher):
    """Warns, once, of a validation loss that is no finite number, while those of the steps are: a
    step that is not stops the run."""

    def __init__(self) -> None:
        self._told = False

    def on_epoch(self, row: Row) -> None:
        """Looks at the validation of an epoch."""
        loss = row.validation_loss
        if self._told or loss is None or math.isfinite(loss):
            return
        self._told = True
        warn(
            f"the validation loss is {loss} after step {row.step}, where those of the training are "
            "finite: look for validation rows of another scale than the training's"
        )


class OneClass(Watcher):
    """Warns where a classifier predicts the same class for all rows: at the end of an epoch whose
    validation has the accuracy of that, and at the end of the run.

    `start` is the step that the run began at, and `rows` are its epochs so far. A net is given some
    epochs or many steps first; nothing has to be predicted of one that has learned anything.
    """

    def __init__(
        self,
        program: Program,
        data: DataSet,
        validation: DataSet | None,
        classifier: Labelled,
        start: int,
        rows: Iterable[Row],
    ) -> None:
        self._program = program
        self._data = data
        self._validation = validation
        self._classifier = classifier
        self._start = start
        self._rows = [*rows]
        self._told = False
        # What is right where one class is predicted for all rows of the validation.
        shares = self._shares(validation) if validation is not None else np.array([])
        self._suspicious = {0.0, *shares.tolist()}

    def on_epoch(self, row: Row) -> None:
        """Looks where the accuracy of the validation is that of one class."""
        self._rows.append(row)
        if self._validation is not None and row.validation_accuracy in self._suspicious:
            self._look(self._validation, "the validation")

    def end(self) -> None:
        """Looks at what the run ended with."""
        if self._rows:
            self._look(self._data, "the data")

    def _shares(self, data: DataSet) -> Array:
        """Those of the classes that a data set has."""
        counts = np.unique(data.arrays[self._classifier.labels], return_counts=True)[1]
        return np.asarray(counts / data.count)

    def _is_early(self, share: float) -> bool:
        """Whether it is too early to judge the run, by the share of the most frequent class."""
        first, last = self._rows[0], self._rows[-1]
        if len(self._rows) >= _EPOCHS and last.step - first.step >= _STEPS:
            return False
        return last.step - self._start < _MANY or share > 0.5

    def _look(self, data: DataSet, name: str) -> None:
        share = float(self._shares(data).max())
        best = max(row.train_accuracy or 0.0 for row in self._rows[-_EPOCHS:])
        learned = share > _MOST or best > share + 0.1
        if self._told or learned or self._is_early(share):
            return
        some = drawn_rows(data, _LOOKED_AT)
        at_once = self._program.rows_at_a_time(_LOOKED_AT)
        classes: set[int] = set()
        for start in range(0, len(some), at_once):
            part = some[start : start + at_once]
            fed = {k: a[part] for k, a in data.arrays.items()}
            scores = self._program.predict(fed)[self._classifier.scores]
            classes |= set(scores.argmax(axis=1).tolist())
        if len(classes) == 1:
            self._told = True
            warn(
                f"the class {classes.pop()} is predicted for all of {len(some):,} rows of {name}, "
                f"whose most frequent class has a share of {share:.0%}: nothing was learned; look "
                "at the scale of the inputs, the labels and the rate"
            )


def drawn_rows(data: DataSet, most: int) -> Array:
    """The numbers of so many rows, drawn, as a data set may be sorted; of all, where there are no
    more."""
    drawn = np.argsort(words(0, "watched rows", data.count), kind="stable")[:most]
    rows: Array = np.sort(drawn)
    return rows
