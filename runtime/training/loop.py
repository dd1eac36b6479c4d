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
from .team import Team

T = TypeVar("T")


class Loop:
    """One run of `fit`: what it trains with, and where it is.

    Everything that the rest of the run depends on is in the program, the callbacks and
    `position`: a checkpoint is a copy of the three, and can be made wherever `pause` is called.
    """

    def __init__(
        self,
        program: Program,
        opened: Callable[[Place, Team | None], Batches],
        valid: DataSet | None,
        scorer: Scorer | None,
        callbacks: tuple[Callback, ...],
        checkpoint: Checkpoint | None,
        identity: Mapping[str, Any],
        bundle: Bundle | None,
        team: Team | None = None,
    ) -> None:
        self.program = program
        self.valid = valid
        self.scorer = scorer
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.identity = identity
        self.bundle = bundle
        self.team = team
        self.interruption = Interruption()
        self.position = Position(program.step_number, program.step_number)
        self.losses: list[float] = []
        classifier = labelled(program.declared)
        self.found = (
            classifier if classifier and classifier.scores in program.training.outputs else None
        )
        if checkpoint is not None and checkpoint.resume and checkpoint.path.exists():
            self.position, self.losses = checkpoint.load(program, callbacks, identity)
        if team is not None and not team.first:
            # A rank counts what is right of its own rows; rank 0 goes on with the sum so far.
            self.position = self.position._replace(right=0)
        self.batches = batches = opened(self.position.place, team)
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
                if self.checkpoint is not None:
                    self.checkpoint.wait()
        return History(self.position.rows, self.losses)

    def _go(self, length: Length) -> None:
        if self.position.step == self.position.start:
            self.save()
        last, passes = length.last(self.position.start), length.passes
        while not self.position.stopped:
            if self._stops():
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
            how = self.batches.whole, self.bundle, self.team
            raise told_by_fit(e, self.program, batch, *how) from None
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
        if self.team is not None:
            self.team.audit(self.position.step)
        return True

    def _stops(self) -> bool:
        """Whether a signal has come that is to be acted on: with ranks, when all of them know."""
        noted = self.interruption.noted
        if self.team is None:
            return noted
        self.team.want_stop(noted)
        return self.team.stops

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
        labels = batch[self.found.labels]
        if self.team is not None:
            labels = self.team.own_of(batch, self.found.labels)
        return loss, int(np.count_nonzero(scores.argmax(axis=1) == labels))

    def end_epoch(self, *, whole: bool) -> None:
        """Measures, adds a row, tells the callbacks and writes a checkpoint; of a part of an epoch,
        with which the run ends, too."""
        at = self.position
        measured: Measurement | None = None
        if self.valid is not None:
            between = self.pause if self.team is None else _go_on
            how = self.scorer, between, self.team
            measured = measure_set(self.program, self.valid, *how)
        right = at.right if self.team is None else self.team.total(at.right)
        row = Row(
            self.batches.epoch(at.step),
            at.step,
            at.total / at.seen,
            right / at.seen if self.found is not None else None,
            measured.loss if measured is not None else None,
            measured.accuracy if measured is not None else None,
            time.perf_counter() - self.began,
            dict(measured.metrics) if measured is not None else {},
        )
        answers = [bool(callback.on_epoch(row)) for callback in self.callbacks]
        stopped = any(answers) if self.team is None else self.team.any(any(answers))
        rows = (*at.rows, row)
        if whole:
            self.batches.turn()
        self.position = at._replace(
            total=0.0, seen=0, right=0, stopped=stopped, rows=rows, place=self.batches.place
        )
        self.save()

    def save(self) -> None:
        """Writes a checkpoint where one was asked for; of ranks, the first does."""
        if self.checkpoint is None:
            return
        at = self.position
        if self.team is not None:
            at = at._replace(right=self.team.total(at.right))
        how = self.program, at, self.losses, self.callbacks, self.identity
        if self.team is None:
            self.checkpoint.save(*how)
        elif self.team.first:
            # The other ranks would wait for what is written.
            self.checkpoint.save(*how, behind=True)

    def pause(self) -> None:
        """Acts on a signal such as Ctrl-C that has come, once the checkpoint is written."""
        noted = self.interruption.noted
        if self.team is not None:
            if self.team.any(noted):
                self.save()
                self.team.stop(self.interruption.check)
        elif noted:
            self.save()
            self.interruption.check()


def _go_on() -> None:
    """What is done between parts of a validation, where signals wait."""
