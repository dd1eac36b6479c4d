"""A callback that tells a trial of Optuna of each epoch, for loops of a user's own."""

from __future__ import annotations

from typing import Any

from ...graph import RunError, check_kind
from ..optional import require
from ..training.following import Following
from ..training.history import Row


class Pruning(Following):
    """Reports the validation's measure `by` to a trial of Optuna after each epoch, and raises
    `optuna.TrialPruned` where the pruner of its study says so.

    For objective functions of your own, with any study, sampler and pruner; `vg.tune` needs none.
    """

    def __init__(self, trial: Any, by: str = "loss") -> None:
        super().__init__(by)
        optuna = require("optuna", "tune")
        check_kind("trial", trial, optuna.trial.BaseTrial, "a trial of Optuna", RunError)
        self._trial = trial
        self._pruned = optuna.TrialPruned

    def on_epoch(self, row: Row) -> None:
        """Reports, and ends the run where it falls behind."""
        self.improved(row)
        self._trial.report(self._value(row), row.epoch)
        if self._trial.should_prune():
            raise self._pruned(f"pruned after epoch {row.epoch}")
