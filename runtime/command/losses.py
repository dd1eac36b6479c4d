"""The losses that the command line offers, by name: what a net's last layer means under each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from ...graph import Array, Node, RunError, constant, shortened, shown, suggest
from ...ops import (
    broadcast_to,
    hinge,
    huber,
    mean_absolute_error,
    mean_squared_error,
    nll,
    poisson_nll,
    softmax_cross_entropy,
)
from ..data.parts import TaskData
from ..metrics.registry import Task

BALANCED: Final = "balanced"


class LossRow(NamedTuple):
    """The task that a loss is for, and what it is in words."""

    task: Task
    words: str


LOSSES: Final = {
    "softmax": LossRow("classification", "cross-entropy of the classes' probabilities"),
    "hinge": LossRow("classification", "margins between scores, as of a support vector machine"),
    "mse": LossRow("regression", "squares of the differences"),
    "huber": LossRow("regression", "the same, up to one deviation of the target, then linear"),
    "mae": LossRow("regression", "absolute differences"),
    "poisson": LossRow("regression", "counts from 0: the net gives the logarithm of their mean"),
}
"""Every loss by its name; the first of a task is what it has where nothing is said."""

REGRESSIONS: Final[dict[str, Callable[[Node, Node], Node]]] = {
    "mse": mean_squared_error,
    "huber": huber,
    "mae": mean_absolute_error,
    "poisson": poisson_nll,
}
"""Of raw outputs and scaled targets, both [N]."""


def loss_name(asked: str | None, task: Task) -> str:
    """The loss that is asked for, or the task's own; RunError where it is for another task."""
    fitting = [name for name, row in LOSSES.items() if row.task == task]
    if asked is None:
        return fitting[0]
    if asked not in fitting:
        raise RunError(
            f"--loss {asked} is for {LOSSES[asked].task}, and this is {task}, whose losses are "
            f"{', '.join(fitting)}; or give --task {LOSSES[asked].task}"
        )
    return asked


def classifier_loss(
    name: str, scores: Node, labels: Node, weights: Array | None, smoothing: float
) -> Node:
    """The loss of scores [N,C] and labels i64[N]; `weights` f64[C] weigh rows by their class."""
    if name == "softmax":
        return softmax_cross_entropy(
            scores, labels, class_weights=weights, label_smoothing=smoothing
        )
    if smoothing:
        raise RunError(f"--label-smoothing is for --loss softmax; {name} takes no shares of labels")
    if weights is None:
        return hinge(scores, labels)
    of_classes = constant(weights, scores.type.dtype, name="class_weights")
    by_row = -nll(broadcast_to(of_classes, scores.type.shape), labels)
    return hinge(scores, labels, sample_weights=by_row)


def class_weights(text: str | None, data: TaskData) -> Array | None:
    """The weight of each class, f64[C]: as --class-weight says; None where it says nothing.

    `balanced` weighs a class by n / (C n_c), for n_c of the n rows to train on: all classes count
    the same. Source: King and Zeng 2001; scikit-learn's class_weight="balanced". NAME=W,... gives
    weights, 1 where a class is not named.
    """
    if text is None:
        return None
    if not data.classes:
        raise RunError("--class-weight is for classes, and this is regression")
    counts = np.bincount(data.train.y, minlength=len(data.classes))
    if text.strip() == BALANCED:
        return np.asarray(len(data.train.y) / (len(counts) * np.maximum(counts, 1)))
    weights = np.ones(len(data.classes))
    for part in text.split(","):
        name, equals, number = part.strip().rpartition("=")
        if not equals:
            raise RunError(
                f"--class-weight {shown(text)}: found {shown(part)}, where {BALANCED}, or "
                f"{shortened(data.classes[0], 40)}=2,... is expected"
            )
        if name not in data.classes:
            raise RunError(
                f"--class-weight: there is no class {shown(name)}{suggest(name, data.classes)}"
            )
        weights[data.classes.index(name)] = _weight(name, number)
    return weights


def _weight(name: str, text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = np.nan
    if not (np.isfinite(weight) and weight >= 0):
        raise RunError(
            f"--class-weight: {shown(name)} weighs {shown(text)}, where a number from 0 is expected"
        )
    return weight
