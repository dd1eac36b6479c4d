"""The net that the command line declares: scaling, hidden layers, and scores or a number."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ...graph import Array, Graph, Node, RunError, constant, input, op_function, shown
from ...ops import add, batch_norm, cast, dense, exp, multiply, reshape, subtract
from ..data.parts import TaskData
from ..data.scaling import Scaling, standardizing
from ..data.schema import described
from ..program import Program, compile
from .losses import REGRESSIONS, class_weights, classifier_loss, loss_name
from .settings import EPOCHS, Settings

PREDICTIONS: Final = "predictions"
"""The output of a regression: numbers [N], in the unit of the target."""
TARGET_SCALE: Final = ("target_mean", "target_deviation")
"""The constants of a regression's graph by which predictions are brought to that unit."""


def declare(data: TaskData, settings: Settings) -> Graph:
    """{linear, activation} for each hidden size and a linear to the scores, on scaled features;
    with batch normalization {linear without a bias, batch_norm, activation}.

    The scaling is part of the graph, so that a saved program predicts from features as they are;
    so is that of the number to predict, which is undone in `predictions`.
    """
    activation = op_function(settings.activation)
    assert activation is not None
    init = settings.make_init()
    weights = class_weights(settings.class_weight, data)
    loss = loss_name(settings.loss, data.task)
    scaling = data.scaling
    h = scaling.of(input("x", ("N", data.features), scaling.dtype))
    for size in settings.hidden:
        h = dense(h, size, init=init, bias=not settings.batch_norm)
        h = activation(batch_norm(h) if settings.batch_norm else h)
    raw = dense(h, len(data.classes) or 1, init=init)
    if data.task == "regression":
        if settings.label_smoothing:
            raise RunError("--label-smoothing is for classes, and this is regression")
        return _regressor(raw, data, loss)
    y = input("y", ("N",), dtype="i64")
    of_rows = classifier_loss(loss, raw, y, weights, settings.label_smoothing)
    return Graph("mlp", {"scores": raw}, loss=of_rows)


def compiled(
    data: TaskData,
    settings: Settings,
    steps: int | None = None,
    threads: int | None = None,
) -> Program:
    """The program that the settings describe, which keeps how rows of its data are read.

    A schedule is built over `steps`; unsaid, over the epochs that `train` makes unless told.
    `threads` are as `compile` takes them.
    """
    if steps is None:
        steps = EPOCHS * -(-len(data.train.y) // settings.batch_size)
    program = compile(
        declare(data, settings),
        optimizer=settings.make_optimizer(steps),
        regularizer=settings.make_regularizer(),
        dropout=settings.make_dropout(),
        clip=settings.make_clip(),
        seed=settings.seed,
        dtype=settings.dtype,
        memory_limit=settings.memory_limit,
        recompute=settings.recompute,
        backend=settings.backend,
        shards=settings.shards,
        threads=threads,
    )
    program.metadata.update(described(data), loss=loss_name(settings.loss, data.task))
    return program


def _regressor(raw: Node, data: TaskData, loss: str) -> Graph:
    """The graph whose loss is of targets of mean 0 and variance 1, and whose predictions are in
    the target's unit; counts are divided by their mean alone, and the net gives a logarithm."""
    scale = _counts(data) if loss == "poisson" else _of_target(data)
    y = input("y", ("N",), scale.dtype)
    mean, inverse = (constant(v, scale.dtype) for v in (scale.mean, scale.inverse))
    target = multiply(subtract(y, mean), inverse, name="scaled_target")
    raw = reshape(raw, ("N",))
    value = exp(raw) if loss == "poisson" else raw
    if scale.dtype != "f32":
        value, target = cast(value, scale.dtype), cast(target, "f32")
    deviation = constant(1.0 / scale.inverse, scale.dtype, name=TARGET_SCALE[1])
    centre = constant(scale.mean, scale.dtype, name=TARGET_SCALE[0])
    predictions = add(multiply(value, deviation), centre, name="undone")
    return Graph("mlp", {PREDICTIONS: predictions}, loss=REGRESSIONS[loss](raw, target))


class _TargetScale(NamedTuple):
    """(y - mean) inverse, both f64[], in that dtype."""

    mean: Array
    inverse: Array
    dtype: str


def _of_target(data: TaskData) -> _TargetScale:
    """That of mean 0 and variance 1; of a target that never changes, nothing but its mean."""
    scaling: Scaling = standardizing(data.train.y[:, None], pixels=False)
    return _TargetScale(scaling.mean[0], scaling.inverse[0], scaling.dtype)


def _counts(data: TaskData) -> _TargetScale:
    """That of counts of mean 1; RunError where one is below 0, or all are 0."""
    for part in (data.train, data.validation, data.test):
        if (part.y < 0).any():
            raise RunError(
                f"--loss poisson predicts counts, but {shown(data.target or 'y')} is "
                f"{part.y[part.y < 0][0]:g} in a row, where numbers from 0 are expected"
            )
    mean = data.train.y.mean()
    if not mean > 0:
        raise RunError("--loss poisson: all counts to train on are 0; there is nothing to learn")
    return _TargetScale(np.zeros(()), np.asarray(1.0 / mean), "f32")
