"""What users write as arguments: NumPy's numbers become Python's, what cannot be is refused."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

from ..graph import GraphError, Value, as_python


class Given(Value):
    """A value that users write: NumPy's numbers are held as Python's, so that text reads back."""

    def _told(self, given: dict[str, Any]) -> dict[str, Any]:
        return {n: as_python(v) for n, v in given.items()}


def is_number(value: object) -> TypeGuard[float]:
    """Whether the value is a finite number, and no truth value."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value)


def check_positive(**values: object) -> None:
    """Raises GraphError, naming the first value that is no positive, finite number."""
    for name, value in values.items():
        if not is_number(value) or value <= 0:
            raise GraphError(f"{name} is {value!r}, where a positive number is expected")


def check_not_negative(**values: object) -> None:
    """Raises GraphError, naming the first value that is no finite number from 0."""
    for name, value in values.items():
        if not is_number(value) or value < 0:
            raise GraphError(f"{name} is {value!r}, where a finite number from 0 is expected")


def check_finite(**values: object) -> None:
    """Raises GraphError, naming the first value that is no finite number."""
    for name, value in values.items():
        if not is_number(value):
            raise GraphError(f"{name} is {value!r}, where a finite number is expected")


def check_decay(**values: object) -> None:
    """Raises GraphError, naming the first value that is no number from 0, below 1."""
    for name, value in values.items():
        if not is_number(value) or not 0 <= value < 1:
            raise GraphError(f"{name} is {value!r}, where a number from 0, below 1, is expected")


def check_flag(**values: object) -> None:
    """Raises GraphError, naming the first value that is neither True nor False."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise GraphError(f"{name} is {value!r}, where True or False is expected")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raises GraphError unless the value is one of the choices."""
    if value not in choices:
        raise GraphError(f"{name} is {value!r}, where one of {', '.join(choices)} is expected")
