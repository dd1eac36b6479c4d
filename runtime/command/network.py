"""The net that the command line declares: scaling, hidden layers, scores."""

from __future__ import annotations

from ...graph import Graph, Node, constant, input, op_function
from ...ops import batch_norm, cast, dense, multiply, softmax_cross_entropy, subtract
from ..data.parts import TaskData
from ..data.scaling import standardizing
from ..data.schema import described
from ..program import Program, compile
from .settings import EPOCHS, Settings


def declare(data: TaskData, settings: Settings) -> Graph:
    """{linear, activation} for each hidden size and a linear to the scores, on scaled features;
    with batch normalization {linear without a bias, batch_norm, activation}.

    The scaling is part of the graph, so that a saved program predicts from features as they are.
    """
    activation = op_function(settings.activation)
    assert activation is not None
    init = settings.make_init()
    h = _scaled(data)
    y = input("y", ("N",), dtype="i64")
    for size in settings.hidden:
        h = dense(h, size, init=init, bias=not settings.batch_norm)
        h = activation(batch_norm(h) if settings.batch_norm else h)
    scores = dense(h, len(data.classes), init=init)
    loss = softmax_cross_entropy(scores, y, label_smoothing=settings.label_smoothing)
    return Graph("mlp", {"scores": scores}, loss=loss)


def compiled(
    data: TaskData,
    settings: Settings,
    steps: int | None = None,
    threads: int | None = None,
) -> Program:
    """The program that the settings describe, which knows the names of its classes.

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
        threads=threads,
    )
    program.metadata.update(described(data))
    return program


def _scaled(data: TaskData) -> Node:
    """The input `x` as features of mean 0 and variance 1, by constants that the training part gave.

    What f32 does not hold beside its size is read, and centred, in f64.
    """
    scaling = standardizing(data.train.x, data.pixels)
    x = input("x", ("N", data.features), scaling.dtype)
    mean = constant(scaling.mean, scaling.dtype, name="mean")
    inverse = constant(scaling.inverse, scaling.dtype, name="inverse_deviation")
    scaled = multiply(subtract(x, mean, name="centred"), inverse, name="scaled")
    return scaled if scaling.dtype == "f32" else cast(scaled, "f32")
