"""`replay`: a failed step, made again from its bundle."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...graph import Array, Diagnosis, NonFiniteError, RunError, unplaced
from ..backends.registry import Backend
from ..files.program_file import RunState
from ..files.told import fitting
from ..loading import load_run
from ..program import Program
from .bundle import FEED, ROWS, VERSION, ToldOfStep
from .versions import differences, versions


class Replay(NamedTuple):
    """A step that was not finite, made again: `program` is as it was before that step, and `feeds`
    are what it was fed with, the `rows` of the data set.

    `message` and `before` are what was told of it then; `error` is what it ends with now, None
    where it is finite, with that `loss`. `differences` say what is not as it was.
    """

    program: Program
    feeds: dict[str, Array]
    rows: Array
    step: int
    message: str
    before: Diagnosis | None
    error: NonFiniteError | None
    loss: float | None
    differences: tuple[str, ...]

    @property
    def diagnosis(self) -> Diagnosis | None:
        """Where it is not finite now, in the names of `program`."""
        now = self.error.diagnosis if self.error is not None else None
        if now is None:
            return None
        if self.before is not None and now.same_place(self.before):
            now = now._replace(where=self.before.where)
        return now.of_data(self.rows.tolist(), self.step)

    @property
    def reproduced(self) -> bool:
        """Whether it has failed as it did then: at the same node, by the same value and rows."""
        if self.error is None:
            return False
        if self.before is None or self.error.diagnosis is None:
            return self.before is self.error.diagnosis
        return self.error.diagnosis.same_place(self.before)

    def as_dict(self) -> dict[str, object]:
        """What is told of it, in the types that JSON has."""
        now, before = self.diagnosis, self.before
        return {
            "step": self.step,
            "reproduced": self.reproduced,
            "loss": self.loss,
            "diagnosis": now.as_dict() if now is not None else None,
            "then": before.as_dict() if before is not None else None,
            "differences": list(self.differences),
        }

    def __str__(self) -> str:
        found = self.diagnosis
        if self.reproduced and found is not None and self.before is not None:
            found = found.named_as(self.before)
        now = str(found or self.error)
        if self.reproduced:
            return f"{now}\nit is as it was then: the same node, value and rows"
        if self.error is None:
            now = f"step {self.step} is finite: its loss is {self.loss:g}"
        why = "; ".join(self.differences) or "backend, versions and threads are the same"
        return f"{now}\nit did not happen again as it was then ({why}):\n{self.message}"

    def __repr__(self) -> str:
        return str(self)


def replay(path: str | Path, *, backend: Backend | None = None) -> Replay:
    """Makes the step again that `fit(..., bundle=path)` has kept; says whether it fails as then.

    The program that comes back is as it was before the step, whatever that ends with: look further
    with `program.gradients(feeds)`, or `vg.interpret(program.training, {**program.parameters,
    **program.state, **feeds})`, whose `values` hold every node's. `backend` is another to make it
    on. Raises RunError where the file is missing, is no bundle or not whole, and where it needs ops
    or passes that are not imported.
    """
    with unplaced():
        program, run = load_run(path, backend)
    try:
        told, feeds, rows = _read(program, run)
    except RunError as e:
        raise RunError(f"{path} cannot be replayed: {e}") from None
    notes = differences(told.versions, versions(), "bundle")
    if told.backend != program.options.backend:
        notes.append(f"the backend was {told.backend}, and is {program.options.backend} now")
    program._stepping.look = None  # the run has been warned of its inputs
    values = program._values.read(program._values)
    error, loss = None, None
    try:
        loss = program.step(feeds)
        program._values.write(values)
    except NonFiniteError as e:
        error = e
    then = told.message, told.diagnosis
    return Replay(program, feeds, rows, told.step, *then, error, loss, tuple(notes))


def _read(program: Program, run: RunState | None) -> tuple[ToldOfStep, dict[str, Array], Array]:
    """What a bundle tells of the step, the batch, and its rows in the data."""
    if run is None or "bundle" not in run.told:
        kind = "a checkpoint" if run is not None else "a saved program"
        raise RunError(f"it is {kind}, and not the bundle of a failed step, as fit(bundle=) writes")
    version = run.told["bundle"]
    if type(version) is int and version != VERSION:
        raise RunError(
            f"its version is {version}; this verigrad reads {VERSION}: install the one that wrote "
            "it"
        )
    told = fitting(run.told, ToldOfStep, "run")
    feeds = {k.removeprefix(FEED): a for k, a in run.arrays.items() if k.startswith(FEED)}
    rows = run.arrays.get(ROWS)
    if (
        rows is None
        or rows.dtype != np.int64
        or {(len(rows),)} != {a.shape[:1] for a in feeds.values()}
    ):
        raise RunError("its rows are not those of its batch")
    if "step" in program.state and told.step != program.step_number:
        raise RunError(f"it tells of step {told.step}, but its state is of {program.step_number}")
    return told, feeds, rows
