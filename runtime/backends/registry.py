"""The backends by name: what each needs, writes steps with, and times calls with."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final, Literal, NamedTuple

from .backend import Prepare, StepWriter

Backend = Literal["numpy", "numba"]
"""What runs a step: NumPy's calls alone, or loops that Numba compiled between its products."""


class RegisteredBackend(NamedTuple):
    """A backend: where its parts stand, in modules that are loaded when they are first used.

    `requirement` raises RunError where something that it needs is not installed; `sets_threads`
    says that its steps themselves set the threads of the BLAS, and choose how many
    make parts.
    """

    step_writer: str
    calibration: str
    requirement: str | None = None
    sets_threads: bool = False

    def writer(self) -> type[StepWriter]:
        """What writes its steps: made with a `WritingTask`."""
        writer_type: type[StepWriter] = _named(self.step_writer)
        return writer_type

    def prepare(self) -> Prepare:
        """What times calls as its steps make them."""
        function: Prepare = _named(self.calibration)
        return function

    def require(self) -> None:
        """Raises RunError, with how to install it, where something is missing."""
        if self.requirement is not None:
            _named(self.requirement)()


BACKENDS: Final[Mapping[str, RegisteredBackend]] = {
    "numpy": RegisteredBackend(
        "numpy.writer.NumpyWriter",
        "numpy.calibration.prepared",
    ),
    "numba": RegisteredBackend(
        "numba.writer.NumbaWriter",
        "numba.calibration.prepared",
        requirement="numba.kernels.compiled.require_numba",
        sets_threads=True,
    ),
}


def _named(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(f".{module}", __package__), name)
