"""The training loop: steps over shuffled epochs, with validation after each."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ...graph import RunError
from ..program import Program
from .dataset import Data, DataSet, Gatherer
from .history import History, Row
from .interrupt import Interruption
from .measure import Measurement, measure_set
from .sampling import Sampler, ShuffledEpochs


class Callback:
    """What `fit` calls while it runs; a subclass overrides what it wants to hear of."""

    def on_step(self, step: int, loss: float) -> None:
        """A step is done: `step` counts all steps of the program, from 1."""

    def on_epoch(self, row: Row) -> bool | None:
        """An epoch is done and measured; True ends the run."""


def fit(
    program: Program,
    data: Data,
    *,
    validation: Data | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int = 100,
    callbacks: Iterable[Callback] = (),
) -> History:
    """Trains a program on a data set, for so many epochs or so many steps more.

    `data` and `validation` are tuples in the order of the declared graph's inputs, or dicts by
    their names. Each epoch takes every row once, in an order that is a function of the program's
    seed and step number: a run that goes on draws the batches of one that was never stopped. The
    last, short batch is trained on too; a last batch of one row is joined to the one before it.

    Data is checked once, before the first step: RunError names the input, what was found, what
    was expected and the remedy. NonFiniteError ends the run with the state before that step.
    Ctrl-C ends it with KeyboardInterrupt between two steps; the program can be used and saved.
    """
    train = DataSet(program.declared, data)
    valid = _validation_set(program, validation) if validation is not None else None
    sampler = ShuffledEpochs(train.count, batch_size, program.options.seed)
    run = _Run(program, train, valid, sampler, tuple(callbacks))
    return run.go(_count(epochs, steps, sampler.steps_per_epoch))


class _Run:
    """One call of `fit`: what it trains with, and the rows that it has made."""

    def __init__(
        self,
        program: Program,
        train: DataSet,
        valid: DataSet | None,
        sampler: Sampler,
        callbacks: tuple[Callback, ...],
    ) -> None:
        self.program = program
        self.valid = valid
        self.sampler = sampler
        self.callbacks = callbacks
        self.batches = Gatherer(train, sampler.largest)
        self.rows: list[Row] = []
        self.began = time.perf_counter()

    def go(self, steps: int) -> History:
        program, sampler = self.program, self.sampler
        total, seen = 0.0, 0
        with Interruption() as interruption:
            for left in reversed(range(steps)):
                chosen = sampler.rows(program.step_number)
                loss = program.step(self.batches.gather(chosen))
                done = program.step_number
                total, seen = total + loss * len(chosen), seen + len(chosen)
                for callback in self.callbacks:
                    callback.on_step(done, loss)
                interruption.check()
                if done % sampler.steps_per_epoch == 0 or not left:
                    stop = self.end_epoch(total / seen, interruption)
                    total, seen = 0.0, 0
                    interruption.check()
                    if stop:
                        break
        return History(tuple(self.rows))

    def end_epoch(self, train_loss: float, interruption: Interruption) -> bool:
        """Measures, adds a row and tells the callbacks; True where one of them ends the run."""
        found: Measurement | None = None
        if self.valid is not None:
            found = measure_set(self.program, self.valid, interruption.check)
        step = self.program.step_number
        row = Row(
            -(-step // self.sampler.steps_per_epoch),
            step,
            train_loss,
            found.loss if found is not None else None,
            found.accuracy if found is not None else None,
            time.perf_counter() - self.began,
        )
        self.rows.append(row)
        stops = [bool(callback.on_epoch(row)) for callback in self.callbacks]
        return any(stops)


def _validation_set(program: Program, validation: Data) -> DataSet:
    try:
        return DataSet(program.declared, validation)
    except RunError as e:
        raise RunError(f"validation data: {e}") from None


def _count(epochs: int | None, steps: int | None, steps_per_epoch: int) -> int:
    """How many steps to make."""
    if (epochs is None) == (steps is None):
        raise RunError("fit takes epochs= or steps=, one of the two, e.g. epochs=10")
    name, value = ("epochs", epochs) if epochs is not None else ("steps", steps)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise RunError(f"{name} is {value!r}, where a whole number from 1 is expected")
    return value * steps_per_epoch if epochs is not None else value
