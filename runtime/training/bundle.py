"""Bundles: one file of all that a failed step is made of, so that it can be made again."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from ...graph import Array, Diagnosis, Graph, NonFiniteError, RunError, VerigradError
from ...graph.writing import check_writable, given_path, reaching
from ..files.program_file import RunState, opened, save
from ..optional import require
from ..program import Program
from .team import Team, known_to_all
from .versions import versions

VERSION: Final = 1
FEED: Final = "feed/"
ROWS: Final = "rows"
_NONE: Final = (
    "nothing of it is kept: vg.fit(..., bundle=PATH) keeps it in a file, and verigrad train "
    "--out DIR in a folder, for verigrad replay"
)


class ToldOfStep(NamedTuple):
    """What a bundle tells of a step, in the types that JSON has."""

    bundle: int
    step: int
    message: str
    diagnosis: Diagnosis | None
    backend: str
    versions: dict[str, str]


class Bundle:
    """The file that a step is written to which is not finite: the program before it, and its batch.

    A bundle that is there already is replaced, and no other file: that is a RunError at once.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = given_path(path)
        require("safetensors.numpy", "files")
        check_writable(self.path)
        with reaching(self.path):
            there = self.path.is_file()
        if there and not _is_bundle(self.path):
            raise RunError(
                f"{self.path} holds something else than a failed step, which bundle= would replace "
                "one with; give another path"
            )

    def keep(self, e: NonFiniteError, program: Program, batch: Batch) -> str:
        """Writes the step that has failed, whole or not at all, and says how to make it again, or
        why nothing could be written: what went wrong first is not lost."""
        backend = program.options.backend
        told = ToldOfStep(VERSION, batch.step, str(e), e.diagnosis, backend, versions())
        content = {**told._asdict(), "diagnosis": e.diagnosis and e.diagnosis.as_dict()}
        try:
            feeds = batch.fed(program.declared)
            rows = np.arange(batch.size) if batch.rows is None else batch.rows
            arrays = {**{FEED + k: a for k, a in feeds.items()}, ROWS: rows}
            save(program._content()._replace(run=RunState(content, arrays)), self.path)
        except (VerigradError, MemoryError, OSError) as problem:
            reason = str(problem) or type(problem).__name__
            return f"the step could not be kept: {reason}"
        quoted = shlex.quote(str(self.path))
        return f"the step is kept: verigrad replay {quoted} makes it again"


class Batch(NamedTuple):
    """What a step of a run is fed with, the rows of the data that these are, and its number; of a
    stream of batches, only itself knows what rows they are."""

    arrays: Mapping[str, Array]
    rows: Array | None
    step: int
    size: int
    """How many rows it has."""

    def fed(self, g: Graph) -> dict[str, Array]:
        """The arrays as the step reads them, in the types of the inputs."""
        inputs = {g.names[n]: n.type.numpy for n in g.inputs}
        with np.errstate(over="ignore"):
            return {k: self.arrays[k].astype(dtype, copy=False) for k, dtype in inputs.items()}


def told_by_fit(
    e: NonFiniteError,
    program: Program,
    batch: Batch,
    whole: Callable[[Batch], Batch],
    to: Bundle | None,
    team: Team | None,
) -> NonFiniteError:
    """The error of a step of `fit`: with the rows of the data, and where the step is kept; `whole`
    gives a batch with all of its rows. All ranks of a team tell the same."""
    diagnosis = e.diagnosis
    if diagnosis is not None:
        if batch.rows is not None:
            diagnosis = diagnosis.of_data(batch.rows.tolist(), batch.step)
        diagnosis = diagnosis._replace(step=batch.step)
        e = NonFiniteError(str(diagnosis), diagnosis)
    if team is not None:
        e = team.agreed(e)
    kept = _NONE
    if to is not None and (team is None or team.first):
        kept = to.keep(e, program, whole(batch))
    if team is None:
        return NonFiniteError(f"{e}\n  {kept}", diagnosis)
    return known_to_all(NonFiniteError(f"{e}\n  {team.told_by_first(kept)}", diagnosis))


def _is_bundle(path: Path) -> bool:
    try:
        with opened(path) as stored:
            return stored.run is not None and "bundle" in stored.run.told
    except RunError:
        return False
