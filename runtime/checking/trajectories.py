"""Reference trajectories: what each method's formula gives, stored, beside what is computed now.

A wrong formula stands on both sides of any comparison of a compiled graph with the declared one.
So the numbers in trajectories.json are from no code of this package: a small net's parameters after
some steps of each optimizer in each dialect and with each clip, rates of each schedule, running
values of batch normalization, and the values in `reference_values.py`; computed from the formulas
alone (see tests/optimizers/stored.py), in f64.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np

from ...graph import Graph, input
from ...ops import batch_norm, mean
from ...passes import SGD
from ..backends.registry import Backend
from ..files.told import read_json
from .reference_values import Departure, arrays, off, reference_values, smooth_net, training, value

TOLERANCE: Final = 1e-10
"""By how much a number may be off, relatively to the largest of its tensor."""


def departures(backend: Backend = "numpy") -> Iterator[Departure]:
    """Each case in turn."""
    reference = stored()
    yield from _optimizers(reference, backend)
    yield from _schedules(reference["schedules"])
    yield from _running_values(reference["batch_norm"], backend)
    yield from _clips(reference, backend)
    yield from reference_values(reference, backend)


@cache
def stored() -> dict[str, Any]:
    """The numbers, as they are in the file."""
    file = files(__package__).joinpath("trajectories.json")
    numbers: dict[str, Any] = read_json(file.read_bytes(), f"{file}, which was installed with it,")
    return numbers


def _optimizers(reference: Mapping[str, Any], backend: Backend) -> Iterator[Departure]:
    for text, expected in reference["optimizers"].items():
        yield Departure(text, _trained(reference, expected, backend, optimizer=value(text)))


def _clips(reference: Mapping[str, Any], backend: Backend) -> Iterator[Departure]:
    for text, expected in reference["clips"].items():
        how = {"optimizer": SGD(lr=0.1), "clip": value(text)}
        yield Departure(text, _trained(reference, expected, backend, **how))


def _trained(
    reference: Mapping[str, Any], expected: Mapping[str, Any], backend: Backend, **how: Any
) -> float:
    """By how much the parameters of the smooth net are off behind the last batch."""
    program = training(smooth_net(), backend, **how)
    program.parameters.update(arrays(reference["start"]))
    for batch in reference["batches"]:
        program.step(arrays(batch))
    return max(off(program.parameters[name], due) for name, due in expected.items())


def _schedules(schedules: Mapping[str, Any]) -> Iterator[Departure]:
    for text, (steps, rates) in schedules.items():
        computed = value(text).rates(max(steps) + 1)
        yield Departure(text, off(computed[steps], rates))


def _running_values(reference: Mapping[str, Any], backend: Backend) -> Iterator[Departure]:
    for text, case in reference["cases"].items():
        options = json.loads(text)
        y = batch_norm(input("x", ("N", 2)), name="bn", **options)
        net = Graph("normalized", loss=mean(y * y))
        program = training(net, backend, optimizer=SGD(lr=0.0))
        for batch in reference["batches"]:
            program.step(x=np.array(batch, np.float64))
        yield Departure(
            f"batch_norm {text}", max(off(program.state[name], due) for name, due in case.items())
        )
