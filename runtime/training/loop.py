"""The training loop: steps, the end of each epoch, and where a run can be stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np

from ...graph import Array, NonFiniteError, RunError, warn
from ..program import Program
from .batches import Batches, Place
from .bundle import Bundle, told_by_fit
from .callback import Callback
from .checkpoint import Checkpoint, Length, Position
from .dataset import DataSet, labelled
from .history import History, Row
from .interrupt import Interruption
from .measure import Measurement, measure_set
from .scoring import Scorer

T = TypeVar("T")


class Loop:
    """One run of `fit`: what it trains with, and where it is.

    Everything that the rest of the run depends on is in the program, the callbacks and
    `position`: a checkpoint is a copy of the three, and can be made wherever `pause` is called.
    """

    def __init__(
        self,
        program: Program,
        opened: Callable[[Place], Batches],
        valid: DataSet | None,
        scorer: Scorer | None,
        callbacks: tuple[Callback, ...],
        checkpoint: Checkpoint | None,
        identity: Mapping[str, Any],
        bundle: Bundle | None,
    ) -> None:
        self.program = program
        self.valid = valid
        self.scorer = scorer
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.identity = identity
        self.bundle = bundle
        self.interruption = Interruption()
        self.position = Position(program.step_number, program.step_number)
        self.losses: list[float] = []
        classifier = labelled(program.declared)
        self.found = (
            classifier if classifier and classifier.scores in program.training.outputs else None
        )
        if checkpoint is not None and checkpoint.resume and checkpoint.path.exists():
            self.position, self.losses = checkpoint.load(program, callbacks, identity)
        self.batches = batches = opened(self.position.place)
        self._draw, self._ends = batches.draw, batches.ends
        if batches.waits:
            self._draw, self._ends = (
                partial(self._waited, batches.draw),
                partial(self._waited, batches.ends),
            )
        self.began = 0.0

    def go(self, length: Length, at_end: Callable[[], None]) -> History:
        """Runs to that length from where the run began, in one go or in several; then, however
        that ended, calls `at_end`."""
        past = self.position.rows[-1].seconds if self.position.rows else 0.0
        self.began = time.perf_counter() - past
        with self.interruption:
            try:
                self._go(length)
            finally:
                at_end()
        return History(self.position.rows, self.losses)

    def _go(self, length: Length) -> None:
        if self.position.step == self.position.start:
            self.save()
        last, passes = length.last(self.position.start), length.passes
        while not self.position.stopped:
            if self.interruption.noted:
                self.pause()
            at = self.position
            # Asked first, as nothing is read beyond it.
            done = at.step >= last if passes is None else at.place.passes >= passes
            if at.seen and (done or self._ends(at.step)):
                self.end_epoch(whole=not done)
            elif done:
                break
            elif not self.step():
                made = at.step - at.start
                warn(f"the data ended after {made} steps, of {length.steps} asked for")
                break
        self.pause()

    def step(self) -> bool:
        """One step, and what the callbacks hear of it; False where there is no batch any more."""
        at = self.position
        batch = self._draw(at.step)
        if batch is None:
            return False
        try:
            loss, right = self._made(batch.arrays)
        except NonFiniteError as e:
            raise told_by_fit(e, self.program, batch, self.bundle) from None
        except RunError as e:
            if not self.batches.waits or type(e) is not RunError:
                raise
            # Rows of arrays are alike; a batch of a stream may be the only one that does not do.
            raise RunError(f"{self.batches.place.named}: {e}") from None
        self.losses[at.step - at.start :] = [loss]
        # Written out, as `_replace` takes several times as long.
        self.position = Position(
            at.step + 1,
            at.start,
            at.total + loss * batch.size,
            at.seen + batch.size,
            at.right + right,
            at.stopped,
            at.rows,
            self.batches.place,
        )
        for callback in self.callbacks:
            callback.on_step(self.position.step, loss)
        return True

    def _waited(self, call: Callable[[int], T], step: int) -> T:
        """What a call gives that waits for somebody else's code: a signal ends it, and the run with
        its checkpoint."""
        try:
            with self.interruption.at_once():
                return call(step)
        except (KeyboardInterrupt, SystemExit):
            self.save()
            raise

    def _made(self, batch: Mapping[str, Array]) -> tuple[float, int]:
        """The loss of a step on a batch, and of how many rows its scores were right."""
        if self.found is None:
            return self.program.step(batch), 0
        loss, scores = self.program.step_with(batch, self.found.scores)
        return loss, int(np.count_nonzero(scores.argmax(axis=1) == batch[self.found.labels]))

    def end_epoch(self, *, whole: bool) -> None:
        """Measures, adds a row, tells the callbacks and writes a checkpoint; of a part of an epoch,
        with which the run ends, too."""
        at = self.position
        measured: Measurement | None = None
        if self.valid is not None:
            measured = measure_set(self.program, self.valid, self.scorer, self.pause)
        row = Row(
            self.batches.epoch(at.step),
            at.step,
            at.total / at.seen,
            at.right / at.seen if self.found is not None else None,
            measured.loss if measured is not None else None,
            measured.accuracy if measured is not None else None,
            time.perf_counter() - self.began,
            dict(measured.metrics) if measured is not None else {},
        )
        stops = [bool(callback.on_epoch(row)) for callback in self.callbacks]
        rows = (*at.rows, row)
        if whole:
            self.batches.turn()
        self.position = at._replace(
            total=0.0, seen=0, right=0, stopped=any(stops), rows=rows, place=self.batches.place
        )
        self.save()

    def save(self) -> None:
        """Writes a checkpoint where one was asked for."""
        if self.checkpoint is not None:
            self.checkpoint.save(
                self.program, self.position, self.losses, self.callbacks, self.identity
            )

    def pause(self) -> None:
        """Acts on a signal such as Ctrl-C that has come, once the checkpoint is written."""
        if self.interruption.noted:
            self.save()
            self.interruption.check()
