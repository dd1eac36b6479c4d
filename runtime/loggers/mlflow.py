"""A logger that keeps a run in MLflow."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, Final

from ..optional import require
from .logger import Logger, Settings, Status, Values

_STATUS: Final = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
_LONGEST: Final = 6_000
"""So many characters a parameter may have."""


class MLflowLogger(Logger):
    """Keeps a run in MLflow: settings as parameters, and each value as a metric over the steps.

    `store` is where: a server, or a file such as "sqlite:///mlflow.db"; unsaid, as MLflow is set
    up, by MLFLOW_TRACKING_URI or as it decides. `experiment` is made where there is none; `name` is
    the run's. A run that is resumed is a new one there, which holds the epochs of the past as well.
    Needs the extra `mlflow`, which keeps and reads; `pip install mlflow` brings the pages.
    """

    def __init__(
        self, store: str | None = None, *, experiment: str = "verigrad", name: str | None = None
    ) -> None:
        self._entities = require("mlflow.entities", "mlflow")
        self._mlflow = require("mlflow", "mlflow")
        self._client: Any = None
        self.store = store
        self.experiment = experiment
        self.name = name
        self.run_id: str | None = None

    def begin(self, settings: Settings, past: Sequence[Values]) -> None:
        """Begins a run; errors are those of MLflow."""
        self._client = self._mlflow.MlflowClient(tracking_uri=self.store)
        found = self._client.get_experiment_by_name(self.experiment)
        kept = found.experiment_id if found else self._client.create_experiment(self.experiment)
        run = self._client.create_run(kept, run_name=self.name)
        self.run_id = run.info.run_id
        params = [self._entities.Param(k, str(v)[:_LONGEST]) for k, v in settings.items()]
        for first in range(0, len(params), 100):  # so many at once are taken
            self._client.log_batch(self.run_id, params=params[first : first + 100])
        for values in past:
            self.log(values)

    def log(self, values: Values) -> None:
        """Keeps the values at their step; errors are those of MLflow."""
        step, now = int(values.get("step", 0)), int(time.time() * 1000)
        metrics = [
            self._entities.Metric(name, _storable(value), now, step)
            for name, value in values.items()
            if name != "step"
        ]
        self._client.log_batch(self.run_id, metrics=metrics)

    def end(self, status: Status) -> None:
        """Says in MLflow how the run ended."""
        if self.run_id is not None:
            self._client.set_terminated(self.run_id, _STATUS[status])


def _storable(value: float) -> float:
    """A number that a store takes: databases differ in infinity."""
    return float(value) if math.isfinite(value) else math.nan
