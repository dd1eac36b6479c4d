"""Callbacks that follow the validation: the best weights, and the end of a run that is stuck."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from ...graph import Array, RunError, check_kind, shown
from ...passes.methods.learning_rates.plateau import LR_SCALE, Plateau
from ..arguments import count_of
from ..files.told import fitting
from ..metrics.registry import METRICS
from ..program import Program
from .callback import Callback, Kept
from .history import MEASURED, Row

MEASURES: Final = ("loss", "accuracy")
"""What of the validation can be followed of every run."""


def larger_is_better(by: str) -> bool:
    """Whether a measure is to grow: one of MEASURES, or a metric's name."""
    return METRICS[by].larger_is_better if by in METRICS else by != "loss"


class _Best(NamedTuple):
    """What `Following.state` gives."""

    by: str
    best: float | None
    epoch: int


class _Waited(NamedTuple):
    """What its subclasses that wait add to it."""

    waited: int


class Following(Callback):
    """Knows the best epoch so far: of the lowest validation loss, the highest accuracy, or the best
    of a metric that `fit` was asked to measure, such as "f1" or "rmse".

    Of equal ones the first is the best. A value that is not finite is never the best.
    """

    def __init__(self, by: str = "loss") -> None:
        known = dict.fromkeys([*MEASURES, *METRICS])
        if not isinstance(by, str) or by not in known:
            raise RunError(f"by is {shown(by)}, where one of {', '.join(known)} is expected")
        self.by = by
        self.best: float | None = None
        self.epoch = 0

    def improved(self, row: Row) -> bool:
        """Whether the epoch is the best so far, which it then is noted to be."""
        better = self.better(row)
        if better:
            self.best, self.epoch = self._value(row), row.epoch
        return better

    def better(self, row: Row) -> bool:
        """Whether the epoch is the best so far."""
        value, sign = self._value(row), -1 if larger_is_better(self.by) else 1
        return math.isfinite(value) and (self.best is None or sign * value < sign * self.best)

    def _value(self, row: Row) -> float:
        check_kind("row", row, Row, "the Row of an epoch", RunError)
        value = row.columns().get(f"{MEASURED}{self.by}")
        if value is None:
            needed = {"loss": "", "accuracy": ", and a classifier's scores"}
            raise RunError(
                f"{type(self).__name__} follows the validation {self.by}, which is not measured; "
                f"fit needs validation=(x, y){needed.get(self.by, f', and metrics={[self.by]}')}"
            )
        return value

    def state(self) -> Kept:
        """The best value and its epoch."""
        return {"by": self.by, "best": self.best, "epoch": self.epoch}

    def restore(self, state: Kept) -> None:
        """Takes back what `state` gave; raises RunError where it is of another measure."""
        check_kind("state", state, Mapping, "what `state` gave", RunError)
        kept = fitting(dict(state), _Best, type(self).__name__)
        if kept.by != self.by:
            raise RunError(
                f"{type(self).__name__} follows the validation {self.by}, but followed the "
                f"{kept.by} when the checkpoint was written"
            )
        self.best, self.epoch = kept.best, kept.epoch


class EarlyStopping(Following):
    """Ends a run after `patience` epochs in a row that were not better than the best before."""

    def __init__(self, patience: int, by: str = "loss") -> None:
        super().__init__(by)
        self.patience = count_of("patience", patience)
        self.waited = 0

    def on_epoch(self, row: Row) -> bool:
        """Counts the epochs since the best one."""
        self.waited = 0 if self.improved(row) else self.waited + 1
        return self.waited >= self.patience

    def state(self) -> Kept:
        """The best epoch, and how long ago it was."""
        return {**super().state(), "waited": self.waited}

    def restore(self, state: Kept) -> None:
        """Takes back what `state` gave."""
        super().restore(state)
        self.waited = fitting(dict(state), _Waited, type(self).__name__).waited


class ReduceRate(Following):
    """Lowers the state that a plateau schedule reads; `fit` makes one where there is a plateau."""

    def __init__(self, program: Program, schedule: Plateau) -> None:
        super().__init__("loss")
        self._program = program
        self._schedule = schedule
        self.waited = 0

    def on_epoch(self, row: Row) -> None:
        """Counts the epochs since the best one, or since the rate was last lowered."""
        self.waited = 0 if self.improved(row) else self.waited + 1
        if self.waited >= self._schedule.patience:
            state, self.waited = self._program.state, 0
            state[LR_SCALE] = state[LR_SCALE] * self._schedule.factor

    def state(self) -> Kept:
        """The best epoch, and how long was waited; the scale is a state of the program."""
        return {**super().state(), "waited": self.waited}

    def restore(self, state: Kept) -> None:
        """Takes back what `state` gave."""
        super().restore(state)
        self.waited = fitting(dict(state), _Waited, type(self).__name__).waited


class KeepBest(Following):
    """Keeps what inference reads, weights and running statistics, of the best epoch.

    The optimizer's state and the step counter are not part of it: a program whose best weights
    were put back still knows how many steps it made.
    """

    def __init__(self, program: Program, by: str = "loss") -> None:
        super().__init__(by)
        self._program = program
        g = program.inference
        self._names = [g.names[n] for n in (*g.parameters, *g.state)]
        self.kept: dict[str, Array] = {}

    def on_epoch(self, row: Row) -> None:
        """Copies the weights where they are the best so far."""
        if self.better(row):
            self.kept = self._program._values.read(self._names)
            self.improved(row)

    def put_back(self) -> None:
        """Sets the program's weights to the best ones; without any epoch, nothing is changed."""
        self._program._values.write(self.kept)

    def state(self) -> Kept:
        """The best epoch and its weights."""
        return {**super().state(), **self.kept}

    def restore(self, state: Kept) -> None:
        """Takes back what `state` gave."""
        super().restore(state)
        types = {**self._program.parameters, **self._program.state}
        kept = {k: v for k, v in state.items() if k in self._names and isinstance(v, np.ndarray)}
        for name, value in kept.items():
            due = types[name]
            if (value.shape, value.dtype) != (due.shape, due.dtype):
                raise RunError(
                    f"its {name!r} is {value.dtype}{list(value.shape)}, where "
                    f"{due.dtype}{list(due.shape)} is expected"
                )
        self.kept = kept
