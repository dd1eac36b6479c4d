"""What a program predicts for rows, and how good that is: metrics by name, and their lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np

from ...graph import Array, RunError
from ..data.parts import TaskData
from ..data.rows import Rows
from ..metrics.registry import METRICS, Task, metric
from ..program import Program

AT_A_TIME: Final = 1024
OWN: Final[dict[Task, tuple[str, ...]]] = {
    "classification": ("accuracy",),
    "regression": ("rmse", "mae", "r2"),
}
"""What is measured of each task without a word."""
_SHOWN: Final = {"rmse": "RMSE", "mse": "MSE", "mae": "MAE", "r2": "R2", "mape": "MAPE"}


def names_of(task: Task, asked: Iterable[str]) -> tuple[str, ...]:
    """The task's own metrics and those asked for, each once; RunError for one of another task."""
    return tuple(dict.fromkeys([*OWN[task], *(metric(name, task).name for name in asked)]))


def of_epochs(task: Task, asked: Iterable[str], followed: str | None) -> tuple[str, ...]:
    """What is measured of the validation after each epoch, beside loss and accuracy: what is asked
    for or followed, and how good a number is."""
    own = ("r2",) if task == "regression" else ()
    also = (followed,) if followed in METRICS else ()
    wanted = dict.fromkeys([*own, *asked, *also])
    return tuple([metric(name, task).name for name in wanted if name != "accuracy"])


def metrics_of(true: Array, found: Array, task: Task, names: Iterable[str]) -> dict[str, float]:
    """The metrics of those names of scores or predictions."""
    return {name: metric(name, task)(true, found) for name in names}


def outputs(program: Program, key: str, x: Array | Rows) -> Iterator[Array]:
    """The output `key` of each row, some rows at a time. Raises RunError for a program that reads
    more than one input of floats."""
    g = program.declared.but(outputs={key: program.declared.outputs[key]}, updates={})
    names = [g.names[n] for n in g.inputs if n.type.is_float]
    if len(names) != 1:
        raise RunError(
            f"the model reads {len(names)} inputs of floats ({', '.join(names)}), where one is "
            "expected; use program.predict for others"
        )
    count = program.rows_at_a_time(AT_A_TIME)
    for start in range(0, len(x), count):
        yield program.predict({names[0]: x[start : start + count]})[key]


def line_of(values: Mapping[str, float]) -> str:
    """Such as: RMSE 3.2104, MAE 2.1000, R2 0.8712."""
    return ", ".join([f"{_SHOWN.get(name, name)} {number(v)}" for name, v in values.items()])


def number(value: float) -> str:
    """A number to four decimals, or to six digits where it is large or small."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 100 else f"{value:.6g}"


def plain(values: Mapping[str, float]) -> dict[str, float | None]:
    """The same in types that JSON has: null where there is no such number."""
    return {name: v if math.isfinite(v) else None for name, v in values.items()}


def doubt(data: TaskData, tested: Mapping[str, float]) -> str | None:
    """What to warn of a net that tests no better than a constant."""
    if data.task == "regression":
        if not tested["r2"] <= 0:
            return None
        return (
            f"the test R2 is {number(tested['r2'])}: to predict the mean, "
            f"{data.train.y.mean():.6g}, for every row would be as good or better"
        )
    most = int(np.bincount(data.train.y, minlength=len(data.classes)).argmax())
    share = float(np.mean(data.test.y == most))
    if tested["accuracy"] > share:
        return None
    return (
        f"the test accuracy {number(tested['accuracy'])} is no better than that of the most "
        f"frequent class, {data.classes[most]!r}, for every row: {number(share)}"
    )
