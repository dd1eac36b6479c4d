"""Sanity checks of the losses of steps: the same without a pass, and on another backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from ...graph import Array, PassError
from ...passes import Pipeline
from ..interpreter import interpret
from ..program import Program
from .subject import STEPS, UNLIMITED, Result, Subject

ROUNDING: Final = {"f32": 1e-5, "f64": 1e-12}
"""By how much sums may change that a pass adds up in another order, relatively."""


def passes(subject: Subject) -> Iterator[Result]:
    """Each pass that a step could do without changes none of its losses."""
    x, y = subject.rows(100)

    def losses(pipeline: Pipeline, **changed: Any) -> list[float]:
        program = subject.untested()._replace(pipeline=pipeline).program(STEPS, **changed)
        return [program.step(x=x, y=y) for _ in range(STEPS)]

    yield from _on_and_off("pass", subject.pipeline, losses, subject.settings.dtype)


def inference_passes(subject: Subject) -> Iterator[Result]:
    """Each pass that inference could do without changes nothing, after some training."""
    x, y = subject.rows(100)
    trained = subject.untested().program(STEPS)
    for _ in range(STEPS):
        trained.step(x=x, y=y)

    def losses(pipeline: Pipeline, **changed: Any) -> list[float]:
        program = (
            subject.untrained()._replace(inference_pipeline=pipeline).program(STEPS, **changed)
        )
        program.parameters.update(trained.parameters)
        program.state.update(trained.state)
        parts = [slice(i, i + 20) for i in range(0, len(y), 20)]
        return [program.evaluate(x=x[part], y=y[part])["loss"] for part in parts]

    pipeline = subject.inference_pipeline
    yield from _on_and_off("inference pass", pipeline, losses, subject.settings.dtype)


def _on_and_off(
    what: str, pipeline: Pipeline, losses: Callable[..., list[float]], dtype: str
) -> Iterator[Result]:
    on = np.array(losses(pipeline))
    for p in pipeline:
        if p.numbers == "meaning":
            continue
        try:
            # Without the pass, results may take more memory.
            off = np.array(losses(pipeline.without(p.name), **UNLIMITED))
        except PassError:
            continue  # Others need what it gives.
        allowed = ROUNDING[dtype] if p.numbers == "reassociate" else 0.0
        yield _changed(f"{what} {p.name}", on, off, allowed)


def _changed(name: str, losses: Array, others: Array, allowed: float) -> Result:
    """By how much losses differ from others at most, relatively."""
    change = float(np.max(np.abs(losses - others) / np.maximum(np.abs(others), 1e-8)))
    bound = f"at most {allowed:g}, relative" if allowed else "none"
    measured = f"loss changes by {change:.1e}" if change else "no change"
    return Result(name, change <= allowed, measured, bound, change)


def reference(subject: Subject) -> Iterator[Result]:
    """The steps of a backend have the losses of another: numba's those of numpy, and numpy's
    those of the interpreter, which computes node by node."""
    part = subject.rows(100)
    x, y = np.asarray(part.x), part.y
    subject = subject.untested()
    program = subject.program(STEPS)
    losses = [program.step(x=x, y=y) for _ in range(STEPS)]
    if subject.settings.backend == "numpy":
        others = list(_interpreted(subject.program(STEPS), {"x": x, "y": y}))
    else:
        other = subject.program(STEPS, backend="numpy")
        others = [other.step(x=x, y=y) for _ in range(STEPS)]
    name = f"{subject.settings.backend} steps, {len(y)} rows"
    yield _changed(name, np.array(losses), np.array(others), ROUNDING[subject.settings.dtype])


def _interpreted(program: Program, feeds: dict[str, Array]) -> Iterator[float]:
    """The losses of steps that the interpreter makes, from the program's values."""
    g = program.training
    values = {**program.parameters, **program.state}
    dtypes = {g.names[n]: n.type.numpy for n in g.inputs}
    inputs = {name: a.astype(dtypes[name]) for name, a in feeds.items()}
    for _ in range(STEPS):
        results = interpret(g, {**values, **inputs})
        yield float(results.outputs["loss"])
        values.update(results.updates)
