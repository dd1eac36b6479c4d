"""Sanity checks of what stands around the steps: rows drawn, numbers told, runs gone on with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...graph import Array
from ..checking.trajectories import stored
from ..data.parts import stratified
from ..data.scaling import standardizing
from ..program import Program
from ..training.callback import Callback, Kept
from ..training.fit import fit
from ..training.measure import measure
from ..training.sampling import Balanced, Sampler, Sequential, ShuffledEpochs, WithReplacement
from .subject import STEPS, Result, Subject

_EPOCHS: Final = 4
"""Of a run, the half of them behind its checkpoint."""
_ROWS: Final = 100
_DEVIATIONS: Final = (0.01, 1.0, 100.0)


def samplers(subject: Subject) -> Iterator[Result]:
    """Samplers draw the rows that are stored, and of the data each row once an epoch."""
    reference = stored()["samples"]
    labels = np.array(reference["labels"][0])
    rows, seed = len(labels), 9
    made: dict[str, Sampler] = {
        "sequential": Sequential(rows, 4),
        "shuffled": ShuffledEpochs(rows, 4, seed),
        "replacement": WithReplacement(rows, 4, seed),
        "balanced": Balanced(labels, 4, seed),
    }
    wrong = [
        f"{name}, step {step}"
        for name, sampler in made.items()
        for step, due in enumerate(reference[name])
        if sampler.rows(step).tolist() != due
    ]
    steps = sum(len(reference[name]) for name in made)
    found = f"{len(wrong)} of {steps} steps differ" + (f": {wrong[0]}" if wrong else "")
    yield Result("rows of samplers", not wrong, found, "those that are stored", len(wrong))
    count = len(subject.data.train.y)
    size = min(subject.settings.batch_size, count)
    epoch = ShuffledEpochs(count, size, subject.settings.seed)
    missed = _missed(epoch, count)
    found = f"{missed:,} of {count:,} rows are not"
    yield Result("each row once an epoch", missed == 0, found, "none", missed)


def _missed(sampler: Sampler, count: int) -> int:
    """How many rows two epochs do not draw twice."""
    steps = range(2 * sampler.steps_per_epoch)
    drawn = np.bincount(np.concatenate([sampler.rows(step) for step in steps]), minlength=count)
    return int(np.count_nonzero(drawn != 2))


def prepared(subject: Subject) -> Iterator[Result]:
    """A part that is held out shares no row with the rest, and features are of one deviation."""
    y = subject.data.train.y
    rest, held = stratified(y, 0.2, "selfcheck", subject.settings.seed)
    shared = int(np.count_nonzero(np.bincount(np.concatenate([rest, held]), minlength=len(y)) != 1))
    found = f"{shared:,} of {len(y):,} rows are in both or none"
    yield Result("parts of the data", shared == 0, found, "none", shared)
    # Of numbers of our own: one of the data may vary by no more than its rounding.
    x = np.sin(np.arange(90.0)).reshape(30, 3) * _DEVIATIONS + 5.0
    scaling = standardizing(x, pixels=False)
    scaled = (x - scaling.mean) * scaling.inverse
    off = float(np.abs(np.stack([scaled.mean(axis=0), scaled.std(axis=0) - 1])).max())
    yield Result(
        "scaled features", off <= 1e-6, f"mean or deviation is {off:.1e} off", "0 and 1", off
    )


def measured(subject: Subject) -> Iterator[Result]:
    """Loss and accuracy are those of the scores, and follow the parameters."""
    part = subject.rows(_ROWS)
    program = subject.program(STEPS, batch_norm=True)
    worst, right = 0.0, True
    for _ in range(2):
        program.step(x=part.x, y=part.y)
        found = measure(program, part)
        fresh = subject.program(STEPS, batch_norm=True)
        fresh.parameters.update(program.parameters)
        fresh.state.update(program.state)
        due, told = (p.evaluate(x=part.x, y=part.y) for p in (fresh, program))
        loss = float(due["loss"])
        off = max(abs(found.loss - loss), abs(float(told["loss"]) - loss))
        worst = max(worst, off / max(abs(loss), 1e-8))
        right = right and found.accuracy == np.mean(due["scores"].argmax(axis=1) == part.y)
    what = f"loss {worst:.1e} off" if right else "accuracy is not that of the scores"
    ok = right and worst <= 1e-5
    yield Result("measured behind steps", ok, what, "at most 1e-05, relative", worst)


def gone_on(subject: Subject) -> Iterator[Result]:
    """A run that goes on from its checkpoint ends with the bits of one that was not stopped: the
    program, what its steps reported, and what a callback remembers."""
    part = subject.rows(_ROWS)
    size = min(30, len(part.y))
    given: dict[str, Any] = {"validation": part, "batch_size": size}
    straight, watched = subject.program(STEPS), SumOfLosses()
    whole = fit(straight, part, epochs=_EPOCHS, callbacks=watched, **given)
    with tempfile.TemporaryDirectory() as folder:
        given["checkpoint"] = Path(folder) / "run.safetensors"
        begun, ended = subject.program(STEPS), subject.program(STEPS)
        watching = SumOfLosses()
        fit(begun, part, epochs=_EPOCHS // 2, callbacks=SumOfLosses(), **given)
        last = fit(ended, part, epochs=_EPOCHS, callbacks=watching, resume=True, **given)
    different, count = different_values(straight, ended)
    told = whole.losses == last.losses and watched.state() == watching.state()
    found = f"{different:,} of {count:,} values differ"
    found += "" if told else ", and what it tells"
    ok = different == 0 and told
    yield Result("run from a checkpoint", ok, found, "the same bits", float(different))


class SumOfLosses(Callback):
    """Remembers the sum of all losses, which goes on with a run."""

    def __init__(self) -> None:
        self.total = 0.0

    def on_step(self, step: int, loss: float) -> None:
        """Adds the loss of a step."""
        self.total += loss

    def state(self) -> Kept:
        """The sum so far."""
        return {"total": self.total}

    def restore(self, state: Kept) -> None:
        """Takes back what `state` gave."""
        total = state["total"]
        assert isinstance(total, float)
        self.total = total


def different_values(one: Program, other: Program) -> tuple[int, int]:
    """How many parameters' and states' values differ in any bit, and how many there are."""
    different, size = 0, 0
    for values, others in ((one.parameters, other.parameters), (one.state, other.state)):
        for name in values:
            bits = _bits(values[name])
            size += len(bits)
            different += int(np.count_nonzero(bits != _bits(others[name])))
    return different, size


def _bits(values: Array) -> Array:
    """Each value as the whole number that its bytes are: NaN is NaN, and -0 is not 0."""
    return np.ascontiguousarray(values).reshape(-1).view(f"u{values.dtype.itemsize}")
