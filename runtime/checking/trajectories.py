"""Reference trajectories: what each method's formula gives, stored, beside what is computed now.

A wrong formula stands on both sides of any comparison of a compiled graph with the declared one.
So the numbers in trajectories.json are from no code of this package: a small net's parameters after
some steps of each optimizer in each dialect, rates of each schedule, running values of batch
normalization and dropout's masks, computed from the formulas alone (see
tests/optimizers/stored.py), in f64.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

import numpy as np

from ...graph import Array, Graph, TensorType, apply, compute, constant, input
from ...graph.text.attributes import Reader
from ...ops import DropoutMask, batch_norm, dense, mean, mean_squared_error, tanh
from ...passes import SGD
from ..backends.registry import Backend
from ..files.told import read_json
from ..program import compile

TOLERANCE: Final = 1e-10
"""By how much a number may be off, relatively to the largest of its tensor."""


class Departure(NamedTuple):
    """By how much a case is off."""

    case: str
    off: float


def departures(backend: Backend = "numpy") -> Iterator[Departure]:
    """Each case in turn."""
    reference = stored()
    yield from _optimizers(reference, backend)
    yield from _schedules(reference["schedules"])
    yield from _running_values(reference["batch_norm"], backend)
    yield from _masks(reference["dropout"])


@cache
def stored() -> dict[str, Any]:
    """The numbers, as they are in the file."""
    file = files(__package__).joinpath("trajectories.json")
    numbers: dict[str, Any] = read_json(file.read_bytes(), f"{file}, which was installed with it,")
    return numbers


def _value(text: str) -> Any:
    return Reader(text).value()


def _arrays(values: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.array(value, np.float64) for name, value in values.items()}


def _off(actual: Array, expected: Any) -> float:
    due = np.array(expected, np.float64)
    size = max(float(np.abs(due).max(initial=0)), 1e-30)
    return float(np.abs(actual - due).max(initial=0)) / size


def _optimizers(reference: Mapping[str, Any], backend: Backend) -> Iterator[Departure]:
    x, y = input("x", ("N", 2)), input("y", ("N", 2))
    scores = dense(tanh(dense(x, 3, name="fc1")), 2, name="fc2")
    net = Graph("smooth", {"scores": scores}, loss=mean_squared_error(scores, y))
    start, batches = _arrays(reference["start"]), [_arrays(b) for b in reference["batches"]]
    for text, expected in reference["optimizers"].items():
        program = compile(net, optimizer=_value(text), dtype="f64", backend=backend, certify=False)
        program.parameters.update(start)
        for batch in batches:
            program.step(batch)
        yield Departure(
            text, max(_off(program.parameters[name], due) for name, due in expected.items())
        )


def _schedules(schedules: Mapping[str, Any]) -> Iterator[Departure]:
    for text, (steps, rates) in schedules.items():
        computed = _value(text).rates(max(steps) + 1)
        yield Departure(text, _off(computed[steps], rates))


def _running_values(reference: Mapping[str, Any], backend: Backend) -> Iterator[Departure]:
    for text, case in reference["cases"].items():
        options = json.loads(text)
        y = batch_norm(input("x", ("N", 2)), name="bn", **options)
        net = Graph("normalized", loss=mean(y * y))
        program = compile(net, optimizer=SGD(lr=0.0), dtype="f64", backend=backend, certify=False)
        for batch in reference["batches"]:
            program.step(x=np.array(batch, np.float64))
        yield Departure(
            f"batch_norm {text}", max(_off(program.state[name], due) for name, due in case.items())
        )


def _masks(masks: Mapping[str, Any]) -> Iterator[Departure]:
    for text, bits in masks.items():
        seed, key, keep, step = json.loads(text)
        mask = apply(DropoutMask(key, keep, (len(bits),), 1.0, seed, "f64"), constant(step, "i64"))
        computed = compute(mask, [np.array(step)], {})
        assert mask.type == TensorType("f64", (len(bits),))
        yield Departure(f"dropout {text}", _off(computed, [int(b) for b in bits]))
