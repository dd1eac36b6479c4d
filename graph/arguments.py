"""What callers hand over beside nodes and arrays, looked at before it is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from numbers import Integral
from typing import Any, Final, TypeVar

from .errors import GraphError, VerigradError
from .quoting import shown

T = TypeVar("T")

MOST: Final = 2**63 - 1
"""The largest whole number that counts steps, rows or bytes: they are i64."""


def is_whole(value: object, least: int = 0) -> bool:
    """Whether the value, NumPy's too, is a whole number from `least`."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def whole_number(
    what: str,
    value: object,
    least: int = 0,
    most: float = inf,
    error: type[VerigradError] = GraphError,
) -> int:
    """The value as Python's int; raises `error` unless it is a whole number of the range."""
    whole: Any = value if is_whole(value, least) else None
    if whole is None or whole > most:
        due = f"a whole number from {least}" + (f" to {most:,}" if whole is not None else "")
        raise error(f"{what} is {shown(value)}, where {due} is expected")
    return int(whole)


def check_kind(
    what: str,
    value: object,
    kind: type[Any] | tuple[type[Any], ...],
    due: str,
    error: type[VerigradError] = GraphError,
) -> None:
    """Raises `error` unless the value is of that class; `due` says what is expected."""
    if not isinstance(value, kind):
        raise error(f"{what} is {shown(value)}, where {due} is expected")


def check_callable(
    what: str, value: object, due: str, error: type[VerigradError] = GraphError
) -> None:
    """Raises `error` unless the value can be called; `due` says what is expected."""
    if not callable(value):
        raise error(f"{what} is {shown(value)}, where {due} is expected")


def all_of(
    what: str,
    values: Iterable[T],
    kind: type[Any] | tuple[type[Any], ...],
    due: str,
    error: type[VerigradError] = GraphError,
) -> tuple[T, ...]:
    """The values, one after another; raises `error` for what is none, or not of that class."""
    try:
        items: tuple[Any, ...] = (values,) if isinstance(values, (str, bytes)) else tuple(values)
    except TypeError:
        items = (values,)
    for value in items:
        if not isinstance(value, kind):
            raise error(f"{what} has {shown(value)}, where {due} is expected")
    return items


def sizes_of(
    what: str, value: object, most: float = inf, error: type[VerigradError] = GraphError
) -> dict[str, int]:
    """The sizes of symbols, such as {"N": 128}; raises `error` for what is none."""
    if not isinstance(value, Mapping):
        raise error(f'{what} is {shown(value)}, where sizes such as {{"N": 128}} are expected')
    for symbol in value:
        check_kind(f"{what}: a symbol", symbol, str, 'a text such as "N"', error)
    return {s: whole_number(f"{what}: {s}", n, 0, most, error) for s, n in value.items()}
