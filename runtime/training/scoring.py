"""Metrics of a graph's predictions: which of its outputs are held against which input, by what."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from numbers import Real
from typing import Any, Final, NamedTuple

import numpy as np

from ...graph import Array, Graph, Node, RunError, shown
from ..metrics.registry import METRICS, Metric, metric
from .dataset import labelled

Scoring = Callable[[Any, Any], float]
Metrics = str | Scoring | Iterable[str | Scoring] | Mapping[str, str | Scoring]
"""Names of metrics and functions (true, predicted) -> number, which a dict gives other names."""

_TAKEN: Final = ("loss",)


class Scored(NamedTuple):
    """An output, and the input that says what it should be."""

    output: str
    target: str
    labels: bool
    """Whether the input holds the numbers of classes."""


class Scorer:
    """The metrics of a run: functions of all rows of a target and of what was predicted for them.

    Raises RunError for what is no metric, and for a graph that does not tell what is to be
    compared.
    """

    def __init__(self, g: Graph, asked: Metrics) -> None:
        self.scored = scored(g)
        self._functions = _named(asked, self.scored.labels)

    @property
    def names(self) -> Collection[str]:
        """What its metrics are called."""
        return self._functions.keys()

    def values(self, true: Array, predicted: Array) -> dict[str, float]:
        """Each metric of these rows, by its name."""
        return {name: self._value(name, f, true, predicted) for name, f in self._functions.items()}

    def _value(self, name: str, f: Scoring, true: Array, predicted: Array) -> float:
        if isinstance(f, Metric) and f.task == "classification" and true.dtype.kind == "f":
            true = _as_labels(name, true)
        found = f(true, predicted)
        if not isinstance(found, Real) and not (isinstance(found, np.ndarray) and not found.ndim):
            raise RunError(f"the metric {name} gives {shown(found)}, where a number is expected")
        return float(found)


def scored(g: Graph) -> Scored:
    """What metrics compare: the scores and labels of a classifier, or else the only output of
    floats with rows, and the only input that the loss reads for it."""
    classifier = labelled(g)
    if classifier is not None:
        return Scored(classifier.scores, classifier.labels, True)
    outputs = {
        k: n for k, n in g.outputs.items() if k != "loss" and n.type.is_float and n.type.symbols
    }
    if len(outputs) != 1:
        raise RunError(
            f"metrics are of one output, and graph {g.name} has {', '.join(outputs) or 'none'}; "
            "declare the one that is predicted, vg.Graph(..., {'price': price}, loss=loss)"
        )
    ((output, predicted),) = outputs.items()
    read = {g.names[n] for n in Graph(g.name, {output: predicted}).inputs}
    beside = {g.names[n]: n for n in g.inputs if g.names[n] not in read}
    targets = [k for k, n in beside.items() if _alike(n, predicted)]
    if len(targets) != 1:
        found = ", ".join(beside) or "none"
        raise RunError(
            f"metrics hold {output} {predicted.type} against the one input of its shape that only "
            f"the loss reads; there {'is' if len(beside) < 2 else 'are'} {found}"
        )
    return Scored(output, targets[0], False)


def _alike(target: Node, predicted: Node) -> bool:
    """Whether an input holds a number for each that is predicted."""
    shape, other = target.type.shape, predicted.type.shape
    return shape == other or (shape[:1] == other[:1] and {*shape[1:], *other[1:]} <= {1})


def _named(asked: Metrics, labels: bool) -> dict[str, Scoring]:
    """The functions by the names that their values are to have."""
    alone = isinstance(asked, str) or callable(asked)
    listed: object = [asked] if alone else asked
    if not isinstance(listed, Iterable):
        raise RunError(f"metrics is {shown(asked)}, where e.g. ['f1', 'auc'] is expected")
    pairs = listed.items() if isinstance(listed, Mapping) else [(None, one) for one in listed]
    found: dict[str, Scoring] = {}
    for name, one in pairs:
        if isinstance(one, str):
            f: Any = metric(one, "classification" if labels else None)
        elif callable(one):
            f = one
        else:
            raise RunError(
                f"metrics has {shown(one)}, where one of {', '.join(METRICS)} is expected, or a "
                "function (true, predicted) that gives a number"
            )
        called = one if isinstance(one, str) else getattr(one, "__name__", type(one).__name__)
        key = called if name is None else name
        if not isinstance(key, str) or key in found or key in _TAKEN:
            raise RunError(
                f"a metric is called {shown(key)}, which "
                + ("is the loss" if key in _TAKEN else "is taken or no text")
                + "; give another name, metrics={'name': function}"
            )
        found[key] = f
    return found


def _as_labels(name: str, true: Array) -> Array:
    """Floats that number classes as such."""
    labels = true.reshape(len(true), -1)
    if labels.shape[1] != 1 or not (labels == np.floor(labels)).all():
        raise RunError(
            f"{name} is a metric of classes, and the target holds {true.dtype}{list(true.shape)}, "
            "where one whole number a row is expected"
        )
    return labels[:, 0].astype(np.int64)
