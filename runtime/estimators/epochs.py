"""The epochs of a fit with batches: steps, what is measured after each, and when to end."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Mapping
from typing import Any, Final

from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning

from ...graph import NonFiniteError
from ..program import Program
from ..training.history import Row
from ..training.interrupt import Interruption
from .batches import Batches, Rows
from .errors import DivergedError, FitError
from .hooks import Hooks
from .net import data_loss
from .predicting import scores_of
from .starting import put_values, values_of

_FOLLOWING: Final = (
    "loss_curve_",
    "validation_scores_",
    "validation_loss_curve_",
    "_best",
    "_rate",
)
"""What follows a fit in place, and what an estimator that is rebuilt within it has copies of."""


class Epochs:
    """The epochs of one fit of an estimator, whose fitted attributes follow them.

    `count` are the rows of an epoch; `valid` those that early stopping sets aside.
    """

    def __init__(
        self, estimator: Any, batches: Batches, count: int, valid: Rows | None, hooks: Hooks
    ) -> None:
        self.e = estimator
        self.program: Program = estimator.program_
        self.batches = batches
        self.count = count
        self.valid = valid
        self.hooks = hooks
        self.callbacks = tuple(estimator.callbacks or ())
        self.interruption = Interruption()
        self.began = time.perf_counter()

    def go(self, most: int, once: bool) -> None:
        """Trains for at most so many epochs, or for one alone, as `partial_fit` does."""
        self.e.n_iter_ = 0
        try:
            with self.interruption:
                ended = self._go(1 if once else most)
        except KeyboardInterrupt:
            ended = True
            warnings.warn("the fit was ended by Ctrl-C, between two steps", stacklevel=6)
        if not ended and not once:
            warnings.warn(
                f"the fit ended after max_iter={most} epochs, before it converged; give more, or "
                "a larger tol",
                ConvergenceWarning,
                stacklevel=6,
            )
        if self.valid is not None and self.e._best is not None:
            put_values(self.program, self.e._best)

    def _go(self, most: int) -> bool:
        """Whether it ended before `most` epochs were over, or with the last."""
        for _ in range(most):
            task = self.hooks.begin_iteration(self.rebuilt)
            stops = self._epoch()
            converged = self._converged()
            asked = self.hooks.end_iteration(task, self.rebuilt)
            if converged or asked or stops:
                return True
        return False

    def _epoch(self) -> bool:
        """One epoch; whether a callback ends the fit."""
        e = self.e
        e.n_iter_ += 1
        e.loss_ = self._steps() / self.count
        e.t_ += self.count
        e.loss_curve_.append(e.loss_)
        if e.verbose:
            print(f"Iteration {e.n_iter_}, loss = {e.loss_:.8f}")
        if self.valid is not None:
            self._validate(self.valid)
        else:
            self._follow_loss()
        e._rate.end_epoch(self.program, e.t_)
        return self._told()

    def _steps(self) -> float:
        """The steps of an epoch: their losses, each as often as it has rows."""
        step, noted, total = self.program.step, self.interruption, 0.0
        try:
            for feeds, rows in self.batches.epoch():
                loss = step(feeds)
                total += loss * rows
                for callback in self.callbacks:
                    callback.on_step(self.program.step_number, loss)
                if noted.noted:
                    noted.check()
        except NonFiniteError as error:
            if "w" in feeds and not feeds["w"].sum():
                raise FitError(
                    f"the weights of the {rows} rows of a batch sum to 0, and their mean loss is "
                    "not defined; give larger batches, or leave such rows out"
                ) from None
            raise DivergedError(
                f"epoch {self.e.n_iter_}: {error}\n  fix: scale the inputs, e.g. by a "
                "StandardScaler, or give a smaller learning_rate_init"
            ) from None
        return total

    def _validate(self, valid: Rows) -> None:
        """Scores the rows set aside, and keeps the weights of the best score."""
        e = self.e
        scores = scores_of(self.program, valid.x)
        score = e._score_of(scores, valid.y, valid.w)
        e.validation_scores_.append(score)
        e.validation_loss_curve_.append(data_loss(e._settings.form, scores, valid.y, valid.w))
        if e.verbose:
            print(f"Validation score: {score:f}")
        e._no_improvement_count = (
            e._no_improvement_count + 1 if score < e.best_validation_score_ + e.tol else 0
        )
        if score > e.best_validation_score_:
            e.best_validation_score_ = score
            e._best = values_of(self.program)

    def _follow_loss(self) -> None:
        e = self.e
        e._no_improvement_count = (
            e._no_improvement_count + 1 if e.loss_ > e.best_loss_ - e.tol else 0
        )
        e.best_loss_ = min(e.best_loss_, e.loss_)

    def _converged(self) -> bool:
        """Whether too many epochs in a row were no better; "adaptive" lowers the rate first."""
        e = self.e
        if e._no_improvement_count <= e.n_iter_no_change:
            return False
        lowered = e._rate.lower(self.program)
        if e.verbose:
            what = "Validation score" if self.valid is not None else "Training loss"
            then = f"Setting learning rate to {e._rate.now:f}" if lowered else "Stopping."
            print(
                f"{what} did not improve more than tol={e.tol:f} for {e.n_iter_no_change} "
                f"consecutive epochs. {then}"
            )
        if lowered:
            e._no_improvement_count = 0
        return not lowered

    def _told(self) -> bool:
        """Tells our own callbacks of the epoch; whether one of them ends the fit."""
        if not self.callbacks:
            return False
        e, followed = self.e, self.valid is not None
        row = Row(
            e.n_iter_,
            self.program.step_number,
            e.loss_,
            None,
            e.validation_loss_curve_[-1] if followed else None,
            e.validation_scores_[-1] if followed and is_classifier(e) else None,
            time.perf_counter() - self.began,
        )
        stops = [bool(callback.on_epoch(row)) for callback in self.callbacks]  # all hear of it
        return any(stops)

    def rebuilt(self) -> Mapping[str, Any]:
        """What makes a copy of the estimator one whose fit has ended here."""
        held = vars(self.e)
        program = self.e._settings.copied(self.program)
        if self.valid is not None and held["_best"] is not None:
            put_values(program, held["_best"])
        copies = {k: copy.deepcopy(held[k]) for k in _FOLLOWING if k in held}
        return {**copies, "program_": program, "_held": None}
