"""The net that the command line declares: scaling, hidden layers with relu, scores."""

from __future__ import annotations

import json

from ...graph import Graph, Node, constant, input
from ...ops import mlp, multiply, softmax_cross_entropy, subtract
from ..data.parts import Classification
from ..data.scaling import standardizing
from ..program import Program, compile
from .settings import Settings


def declare(data: Classification, hidden: tuple[int, ...]) -> Graph:
    """{linear, relu} for each hidden size and a linear to the scores, on scaled features.

    The scaling is part of the graph, so that a saved program predicts from features as they are.
    """
    x = input("x", ("N", data.features))
    y = input("y", ("N",), dtype="i64")
    scores = mlp(_scaled(x, data), [*hidden, len(data.classes)])
    return Graph("mlp", {"scores": scores}, loss=softmax_cross_entropy(scores, y))


def compiled(data: Classification, settings: Settings) -> Program:
    """The program that the settings describe, which knows the names of its classes."""
    program = compile(
        declare(data, settings.hidden),
        optimizer=settings.make_optimizer(),
        regularizer=settings.make_regularizer(),
        dropout=settings.make_dropout(),
        seed=settings.seed,
        dtype=settings.dtype,
    )
    program.metadata["classes"] = json.dumps(data.classes)
    program.metadata["columns"] = json.dumps(data.columns)
    if data.target is not None:
        program.metadata["target"] = data.target
    return program


def _scaled(x: Node, data: Classification) -> Node:
    """Features of mean 0 and variance 1, by constants that the training part gave."""
    mean, inverse = standardizing(data.train.x, data.pixels)
    centred = subtract(x, constant(mean, name="mean"), name="centred")
    return multiply(centred, constant(inverse, name="inverse_deviation"), name="scaled")
