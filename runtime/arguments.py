"""What users hand over beside arrays, looked at before it is used."""

from __future__ import annotations

from ..graph import RunError, shown, whole_number
from ..graph.arguments import MOST


def count_of(name: str, value: object) -> int:
    """A whole number from 1, NumPy's too; RunError for any other."""
    return whole_number(name, value, 1, MOST, RunError)


def check_switch(name: str, value: object) -> None:
    """Raises RunError unless the value is True or False."""
    if not isinstance(value, bool):
        raise RunError(f"{name} is {shown(value)}, where True or False is expected")
