"""The metrics by the names that users give: `fit(metrics=["f1"])`, `--metrics f1,auc`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from ...graph import Array, RunError, shown, suggest
from . import classification, regression

Task = Literal["classification", "regression"]


class Metric(NamedTuple):
    """A function (true, scores) -> float, of what task it is a measure, and which end is good.

    For classification, true are labels i64[N] and scores [N,C]; for regression, both are numbers,
    [N] or [N,K].
    """

    name: str
    task: Task
    function: Callable[[Array, Array], float]
    larger_is_better: bool

    def __call__(self, true: Array, scores: Array) -> float:
        return self.function(true, scores)


METRICS: Final[dict[str, Metric]] = {
    m.name: m
    for m in (
        Metric("accuracy", "classification", classification.accuracy, True),
        Metric("balanced_accuracy", "classification", classification.balanced_accuracy, True),
        Metric("precision", "classification", classification.precision, True),
        Metric("recall", "classification", classification.recall, True),
        Metric("f1", "classification", classification.f1, True),
        Metric("auc", "classification", classification.auc, True),
        Metric("log_loss", "classification", classification.log_loss, False),
        Metric("rmse", "regression", regression.root_mean_squared_error, False),
        Metric("mse", "regression", regression.mean_squared_error, False),
        Metric("mae", "regression", regression.mean_absolute_error, False),
        Metric("median_error", "regression", regression.median_absolute_error, False),
        Metric("mape", "regression", regression.mean_absolute_percentage_error, False),
        Metric("r2", "regression", regression.r2, True),
    )
}
"""Every metric by its name. `precision`, `recall` and `f1` are means over classes (macro)."""


def metric(name: str, task: Task | None = None) -> Metric:
    """The metric of that name; RunError where there is none, or it is of another task."""
    found = METRICS.get(name) if isinstance(name, str) else None
    fitting = [m.name for m in METRICS.values() if task in (None, m.task)]
    if found is None:
        raise RunError(f"there is no metric {shown(name)}{suggest(name, fitting)}")
    if task not in (None, found.task):
        raise RunError(
            f"{name} is a metric of {found.task}, and this is {task}; its metrics are "
            f"{', '.join(fitting)}"
        )
    return found
