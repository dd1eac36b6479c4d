"""A trial: what was tried, and what came of it; and what watches one while it runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, Final, NamedTuple

from ...graph import NonFiniteError, VerigradError, cut
from ..training.following import Following, larger_is_better
from ..training.history import Row
from .heard import hearing
from .shared import limited_to

STARTUP: Final = 5
"""So many trials must have reached an epoch before one that is worse is ended there."""
DONE: Final = "done"
PRUNED: Final = "pruned"
FAILED: Final = "failed"


class Ran(NamedTuple):
    """What a run came to: the measure after each epoch, and how it ended, in words.

    `value` is the measure of the weights that it ends with; None where it did not reach its end.
    """

    values: tuple[float, ...]
    value: float | None
    ended: str


class Trial(NamedTuple):
    """One of the runs: its number, the options that were tried, and what came of them.

    `value` is the validation's loss, or what else is followed, of a run that was made to its end;
    else None, and `ended` says why. `values` has one after each epoch.
    """

    number: int
    options: Mapping[str, Any]
    value: float | None
    values: tuple[float, ...]
    ended: str


class Watch(Following):
    """Keeps the measure after each epoch, and ends a run whose best so far is worse than the bar of
    its epoch: the median rule of Golovin et al., 2017, as Optuna has it."""

    def __init__(self, by: str, bars: Sequence[float | None]) -> None:
        super().__init__(by)
        self._bars = bars
        self.values: list[float] = []
        self.pruned = False

    def on_epoch(self, row: Row) -> bool:
        """Notes the measure; True where the run is to end."""
        self.improved(row)
        self.values.append(self._value(row))
        epoch = len(self.values)
        bar = self._bars[epoch - 1] if epoch <= len(self._bars) else None
        self.pruned = bar is not None and (self.best is None or worse(self.by, self.best, bar))
        return self.pruned


def worse(by: str, value: float, other: float) -> bool:
    """Whether a value of the measure is worse than another."""
    return value < other if larger_is_better(by) else value > other


def bars(by: str, earlier: Sequence[Trial]) -> tuple[float | None, ...]:
    """For each epoch the median of the trials that were made to their end, where they are enough.

    None for the first third of the epochs, in which rates warm up: there, those that are best in
    the end are often behind; and for the last epoch, which ends a run anyway.
    """
    done = [t.values for t in earlier if t.value is not None]
    epochs = max(map(len, done), default=0)
    found: list[float | None] = [None] * (epochs // 3)
    for epoch in range(epochs // 3, epochs - 1):
        there = [values[epoch] for values in done if len(values) > epoch]
        finite = [v if math.isfinite(v) else _worst(by) for v in there]
        found.append(median(finite) if len(there) >= STARTUP else None)
    return tuple(found)


def _worst(by: str) -> float:
    return -math.inf if larger_is_better(by) else math.inf


def watched(watch: Watch, train: Callable[[Watch], float | None]) -> Ran:
    """Makes a run, and says what it came to; an error of ours is a result like another.

    `train` gives the measure of the weights that the run ends with, or None for that of its last
    epoch. Of warnings, which the best run repeats, nothing is told.
    """
    with hearing(), limited_to(1):
        try:
            value = train(watch)
        except NonFiniteError:
            return Ran(tuple(watch.values), None, f"not finite in epoch {len(watch.values) + 1}")
        except VerigradError as e:
            return Ran(tuple(watch.values), None, f"{FAILED}: {cut(str(e).splitlines()[0], 300)}")
    values = tuple(watch.values)
    if watch.pruned:
        return Ran(values, None, PRUNED)
    value = values[-1] if value is None else value
    if not math.isfinite(value):
        return Ran(values, None, f"not finite in epoch {len(values)}")
    return Ran(values, value, DONE)
