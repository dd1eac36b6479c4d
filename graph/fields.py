"""Whether what stands in a field is what its annotation says, for the attributes of ops."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple, TypeGuard

import numpy as np

from .arguments import sizes_of
from .errors import GraphError
from .quoting import shown
from .types import TensorType, as_python, check_shape


class _Kind(NamedTuple):
    """What an annotation means: what is due, and the value as it is held, or an error."""

    due: str
    held: Callable[[object], object]


def is_number(value: object) -> TypeGuard[float]:
    """Whether the value, NumPy's too, is a finite number that a float can hold, no truth value."""
    number = as_python(value)
    try:
        return (
            isinstance(number, (int, float)) and type(number) is not bool and math.isfinite(number)
        )
    except OverflowError:
        return False


def check_flag(**values: object) -> None:
    """Raises GraphError, naming the first value that is neither True nor False."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise GraphError(f"{name} is {shown(value)}, where True or False is expected")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raises GraphError unless the value is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise GraphError(f"{name} is {shown(value)}, where one of {', '.join(choices)} is expected")


def checked(owner: str, field: str, value: object, annotation: object) -> object:
    """The value of a field as it is held: numbers as Python's, lists as tuples.

    Raises GraphError where it is none of what the annotation names; an annotation that is not in
    the table, as one of a user's op may be, takes any.
    """
    spelled = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    kinds = _kinds(spelled)
    plain = as_python(value)
    for kind in kinds:
        if kind is None:  # which may be an array of no axes
            return value if isinstance(value, np.ndarray) else plain
        try:
            return kind.held(plain)
        except GraphError as e:
            if len(kinds) == 1:
                raise GraphError(f"{owner}: {e}") from None
        except (TypeError, ValueError, OverflowError):
            continue
    due = " or ".join(kind.due for kind in kinds if kind is not None)
    raise GraphError(f"{owner}: {field} is {shown(plain)}, where {due} is expected")


@cache
def _kinds(annotation: str) -> list[_Kind | None]:
    return [_KINDS.get(part.strip()) for part in annotation.split("|")]


def _whole(value: object) -> object:
    if type(value) is not int or not -(2**63) <= value < 2**64:
        raise TypeError
    return value


def _float(value: object) -> object:
    if not is_number(value) and not isinstance(value, float):
        raise TypeError
    return value


def _exactly(value: object, *due: object) -> object:
    if not any(value is one for one in due):
        raise TypeError
    return value


def _of(value: object, kind: type) -> object:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _wholes(value: object) -> object:
    if not isinstance(value, (tuple, list, range)):
        raise TypeError
    return tuple([_whole(as_python(v)) for v in value])


def _texts(value: object) -> object:
    if not isinstance(value, (tuple, list)) or not all(isinstance(v, str) for v in value):
        raise TypeError
    return tuple(value)


def _shape(value: object) -> object:
    return check_shape(value)  # type: ignore[arg-type]


_KINDS: Final = {
    "None": _Kind("none", lambda v: _exactly(v, None)),
    "bool": _Kind("true or false", lambda v: _exactly(v, True, False)),
    "int": _Kind("a whole number", _whole),
    "float": _Kind("a number", _float),
    "str": _Kind("a text", lambda v: _of(v, str)),
    "tuple[int, ...]": _Kind("a list of whole numbers", _wholes),
    "Dim": _Kind("a size or a symbol", lambda v: check_shape((v,))[0]),
    "Shape": _Kind("a shape such as [N,4]", _shape),
    "tuple[str, ...]": _Kind("a list of texts", _texts),
    "Mapping[str, int]": _Kind("sizes such as {N:128}", lambda v: sizes_of("sizes", v)),
    "TensorType": _Kind("a type such as f32[N,4]", lambda v: _of(v, TensorType)),
}
