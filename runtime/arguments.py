"""What users hand over beside arrays, looked at before it is used."""

from __future__ import annotations

from typing import Any

from ..graph import RunError, shown, whole_number
from ..graph.arguments import MOST


def count_of(name: str, value: object) -> int:
    """A whole number from 1, NumPy's too; RunError for any other."""
    return whole_number(name, value, 1, MOST, RunError)


def check_switch(name: str, value: object) -> None:
    """Raises RunError unless the value is True or False."""
    if not isinstance(value, bool):
        raise RunError(f"{name} is {shown(value)}, where True or False is expected")


def check_program(what: str, value: Any) -> None:
    """Raises RunError unless the value is a program, as `vg.compile` and `vg.load` make."""
    from .program import Program

    if not isinstance(value, Program):
        kind = value.__name__ if isinstance(value, type) else type(value).__name__
        raise RunError(
            f"{what} takes a program, and not a {kind}: write program = vg.compile(graph, "
            f"optimizer=...), then vg.{what}(program, ...)"
        )
