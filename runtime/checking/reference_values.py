"""Reference values: masks, first values, losses and penalties, beside what formulas give.

The numbers are stored, as those of the reference trajectories are; what they are of is here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ... import ops
from ...graph import Array, Graph, Node, TensorType, apply, compute, constant, input
from ...graph.text.attributes import Reader
from ...ops import DropoutMask, dense, dropout, first_value, init, mean, mean_squared_error, tanh
from ...passes import Pipeline, Regularizer
from ..backends.registry import Backend
from ..program import Program, compile


class Departure(NamedTuple):
    """By how much a case is off."""

    case: str
    off: float


def reference_values(reference: Mapping[str, Any], backend: Backend) -> Iterator[Departure]:
    """Each case in turn."""
    yield from _masks(reference["dropout"])
    yield from _dropped(reference["dropped"], backend)
    yield from _first_values(reference["first_values"])
    yield from _losses(reference["losses"], backend)
    yield from _penalties(reference, backend)


def training(net: Graph, backend: Backend, **how: Any) -> Program:
    """A program in f64 that is not asked for inference, which is then not compiled."""
    unused = Pipeline(())
    return compile(
        net, dtype="f64", backend=backend, certify=False, inference_pipeline=unused, **how
    )


def value(text: str) -> Any:
    """What a text of the IR stands for, such as an optimizer."""
    return Reader(text).value()


def arrays(values: Mapping[str, Any]) -> dict[str, Array]:
    """Stored numbers, by their names."""
    return {name: np.array(stored, np.float64) for name, stored in values.items()}


def off(actual: Array | float, expected: Any) -> float:
    """By how much numbers are off, relatively to the largest of those expected."""
    due = np.array(expected, np.float64)
    size = max(float(np.abs(due).max(initial=0)), 1e-30)
    return float(np.abs(actual - due).max(initial=0)) / size


def smooth_net() -> Graph:
    """2-3-2 with tanh and the mean squared error: smooth, so that no rounding is magnified."""
    x, y = input("x", ("N", 2)), input("y", ("N", 2))
    scores = dense(tanh(dense(x, 3, name="fc1")), 2, name="fc2")
    return Graph("smooth", {"scores": scores}, loss=mean_squared_error(scores, y))


def _masks(masks: Mapping[str, Any]) -> Iterator[Departure]:
    for text, bits in masks.items():
        seed, key, keep, step = json.loads(text)
        mask = apply(DropoutMask(key, keep, (len(bits),), 1.0, seed, "f64"), constant(step, "i64"))
        computed = compute(mask, [np.array(step)], {})
        assert mask.type == TensorType("f64", (len(bits),))
        yield Departure(f"dropout {text}", off(computed, [int(b) for b in bits]))


def _dropped(cases: Mapping[str, float], backend: Backend) -> Iterator[Departure]:
    """What is left of 1, 2, ... in training, and in inference."""
    x = np.arange(1.0, 13.0).reshape(1, 12)
    for text, due in cases.items():
        mode, keep, stage = json.loads(text)
        left = dropout(input("x", ("N", 12)), keep=keep, mode=mode, name="drop")
        net = Graph("dropped", loss=mean(left))
        program = compile(net, dtype="f64", seed=3, backend=backend, certify=False)
        found = program.loss(x=x) if stage == "loss" else float(program.evaluate(x=x)["loss"])
        yield Departure(f"dropout {text}", off(found, due))


def _first_values(reference: Mapping[str, Any]) -> Iterator[Departure]:
    kind = TensorType("f64", tuple(reference["shape"]))
    for text, due in reference["cases"].items():
        name, *arguments = json.loads(text)
        drawn = first_value(getattr(init, name)(*arguments), kind, reference["seed"], "w")
        yield Departure(f"init {text}", off(drawn.reshape(-1), due))


def _losses(reference: Mapping[str, Any], backend: Backend) -> Iterator[Departure]:
    feeds = arrays(reference["arrays"])
    feeds["labels"] = feeds["labels"].astype(np.int64)
    for text, due in reference["cases"].items():
        net = Graph("loss", loss=_loss(json.loads(text)))
        read = {n.name: feeds[n.name] for n in net.inputs if n.name}
        yield Departure(text, off(training(net, backend).loss(read), due))


def _loss(case: list[Any]) -> Node:
    """The loss of a case: its name, behind "weighed" where rows are, and before an option."""
    a, b = input("a", ("N", 3), dtype="f64"), input("b", ("N", 3), dtype="f64")
    labels = input("labels", ("N",), dtype="i64")
    weights = input("weights", ("N",), dtype="f64") if case[0] == "weighed" else None
    name, *told = case[weights is not None :]
    options: dict[str, Any] = {} if weights is None else {"sample_weights": weights}
    match name:
        case "log":
            return mean(ops.log(1.0 - ops.sigmoid(a)))
        case "huber":
            return ops.huber(a, b, delta=told[0], **options)
        case "hinge":
            return ops.hinge(a, labels, margin=told[0])
        case "binary_cross_entropy_with_logits":
            share = input("share", ("N", 3), dtype="f64")
            return ops.binary_cross_entropy_with_logits(a, share)
        case "softmax_cross_entropy":
            smoothing = 0.2 if "smoothed" in told else 0.0
            by_class = [0.5, 1.0, 2.0] if "weighed by class" in told else None
            return ops.softmax_cross_entropy(
                a, labels, label_smoothing=smoothing, class_weights=by_class
            )
    loss: Node = getattr(ops, name)(a, b, **options)
    return loss


def _penalties(reference: Mapping[str, Any], backend: Backend) -> Iterator[Departure]:
    batch, start = arrays(reference["batches"][0]), arrays(reference["start"])

    def loss(regularizer: Regularizer | None) -> float:
        program = training(smooth_net(), backend, regularizer=regularizer)
        program.parameters.update(start)
        return program.loss(batch)

    without = loss(None)
    for text, due in reference["penalties"].items():
        yield Departure(text, off(loss(value(text)) - without, due))
