"""What users write as arguments: NumPy's numbers become Python's, what cannot be is refused."""

from __future__ import annotations

from typing import Any

from ...graph import GraphError, Value, as_python, is_number, shown


class Given(Value):
    """A value that users write: NumPy's numbers are held as Python's, so that text reads back."""

    def _told(self, values: dict[str, Any]) -> dict[str, Any]:
        return {n: as_python(v) for n, v in values.items()}


def check_positive(**values: object) -> None:
    """Raises GraphError, naming the first value that is no positive, finite number."""
    for name, value in values.items():
        if not is_number(value) or value <= 0:
            raise GraphError(f"{name} is {shown(value)}, where a positive number is expected")


def check_not_negative(**values: object) -> None:
    """Raises GraphError, naming the first value that is no finite number from 0."""
    for name, value in values.items():
        if not is_number(value) or value < 0:
            raise GraphError(f"{name} is {shown(value)}, where a finite number from 0 is expected")


def check_finite(**values: object) -> None:
    """Raises GraphError, naming the first value that is no finite number."""
    for name, value in values.items():
        if not is_number(value):
            raise GraphError(f"{name} is {shown(value)}, where a finite number is expected")


def check_decay(**values: object) -> None:
    """Raises GraphError, naming the first value that is no number from 0, below 1."""
    for name, value in values.items():
        if not is_number(value) or not 0 <= value < 1:
            raise GraphError(
                f"{name} is {shown(value)}, where a number from 0, below 1, is expected"
            )
