"""Programs made of what their files hold."""

from __future__ import annotations

from pathlib import Path

from .backends.registry import Backend
from .files.program_file import RunState, opened
from .program import Program


def load(path: str | Path) -> Program:
    """Reads a program that `save` wrote; nothing in the file is executed.

    Of a checkpoint, the program as it was at its step. Raises RunError where the file is missing,
    cut off, foreign or of a newer version, and where it needs ops or passes that are not imported.
    """
    return load_run(path)[0]


def load_run(path: str | Path, backend: Backend | None = None) -> tuple[Program, RunState | None]:
    """The same, and the run's state where the file is a checkpoint; on another backend where one
    is given."""
    with opened(path) as stored:
        options = stored.options
        if backend is not None:
            options = options._replace(backend=backend).check()
        program = Program(stored.declared, options)
        stored.fill(program._values)
    program.metadata.update(stored.metadata)
    return program, stored.run
