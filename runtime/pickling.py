"""Programs in pickles: what they were compiled from and with, and their state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..graph import Array, Graph

if TYPE_CHECKING:
    from .options import Options
    from .program import Program


def reduced_program(program: Program) -> tuple[Any, ...]:
    """What a program is made from anew; the arrays are copies, as it may go on."""
    values = program._values.read(program._values)
    return restored, (program.declared, program.options, values, dict(program.metadata))


def restored(
    declared: Graph, options: Options, values: Mapping[str, Array], metadata: Mapping[str, str]
) -> Program:
    """A program of its own in the same state, whose next step has the same bits."""
    from .program import Program

    program = Program(declared, options.check())
    program._values.fill(values.items())
    program.metadata.update(metadata)
    return program
