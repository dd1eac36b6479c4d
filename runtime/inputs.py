"""Whether an array is what an input takes, and what to write where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..graph import Array, Node, RunError, Shape, TensorType, as_array
from ..graph.exact import ADVICE, rounded


def given(value: Any, what: str, type: TensorType, name: str) -> Array:
    """What is given for a tensor as an array of numbers, by the door for all arrays.

    Raises RunError where it is no array of numbers.
    """
    return as_array(value, what, type, name=name, error=RunError, kind=type.numpy.kind)


def fed(name: str, value: Any, n: Node) -> Array:
    """What is given for an input as an array that it takes; RunError says what fits instead.

    The array has the input's dimensions, and numbers that can be the input's: truth values are
    no numbers, floats no integers, and neither are truth values.
    """
    array: Array = value
    if type(value) is not np.ndarray or value.dtype.kind not in "biuf":
        array = given(value, f"input {name!r}", n.type, name)
    if not _fits(array.shape, n.type.shape):
        shape = ",".join(map(str, array.shape))
        raise _refused(f"has the shape [{shape}]", name, value, array, n)
    check_exact(name, array, n)
    if not _counts(array, n):
        problem = f"is {array.dtype}"
        broken = _fraction(array) if n.type.dtype == "i64" else None
        if broken is not None:
            problem += f", with {array[broken]:g}{_place(broken)}"
        raise _refused(problem, name, value, array, n)
    return array


def check_exact(name: str, array: Array, n: Node, first: int = 0) -> None:
    """Raises RunError for an integer that a float input would round, in an array whose rows are
    counted from `first`."""
    wrong = rounded(array) if n.type.is_float else None
    if wrong is not None:
        place = (wrong[0] + first, *wrong[1:]) if wrong else ()
        raise RunError(f"input {name!r} holds {array[wrong]}{_place(place)}, {ADVICE}")


def is_one_hot(a: Array) -> bool:
    """Whether each row of a [n,columns] has a single 1 among zeros."""
    ones = a == 1
    return bool(a.size and (ones | (a == 0)).all() and (ones.sum(axis=1) == 1).all())


def _place(at: tuple[int, ...]) -> str:
    """Such as: in row 3, column 1; nothing for a number by itself."""
    columns = "".join(f", column {c}" for c in at[1:])
    return f" in row {at[0]}{columns}" if at else ""


class _Written(NamedTuple):
    """An expression in the user's names, and the array that it gives."""

    text: str
    array: Array


def _refused(problem: str, name: str, value: Any, array: Array, n: Node) -> RunError:
    due = f"integers are expected ({n.type})" if n.type.dtype == "i64" else f"{n.type} is expected"
    written = _Written(name if isinstance(value, np.ndarray) else f"np.asarray({name})", array)
    for way in _reshaped(written, n.type.shape):
        if _fits(way.array.shape, n.type.shape) and (text := _cast(way, n)):
            return RunError(f"input {name!r} {problem}, where {due}; give {text}")
    return RunError(f"input {name!r} {problem}, where {due}")


def _reshaped(written: _Written, wanted: Shape) -> Iterator[_Written]:
    """What may be meant by an array of other dimensions, the likeliest first."""
    text, a = written
    rank, shape = len(wanted), a.shape
    yield written
    if rank == 1 and a.ndim == 2 and shape[1] == 1:
        yield _Written(f"{text}.ravel()", a.ravel())
    if rank == 1 and a.ndim == 2 and is_one_hot(a):
        yield _Written(f"{text}.argmax(axis=1)", a.argmax(axis=1))
    if rank == 2 and a.ndim == 1:
        yield _Written(f"{text}[:, None]", a[:, None])
    if a.ndim == rank - 1:
        yield _Written(f"{text}[None]", a[None])
    sizes = [d for d in wanted[1:] if isinstance(d, int)]
    if a.ndim and len(sizes) == rank - 1 and prod(sizes) == prod(shape[1:]):
        listed = "-1" if rank == 2 else ", ".join(map(str, sizes))
        yield _Written(f"{text}.reshape(len({text}), {listed})", a.reshape(len(a), *sizes))
    if a.ndim == 2:
        yield _Written(f"{text}.T", a.T)


def _cast(written: _Written, n: Node) -> str:
    """How the same numbers are written in the input's dtype; nothing where it has none of them."""
    text, a = written
    if _counts(a, n):
        return text
    if n.type.dtype == "bool":
        return f"{text} != 0"
    if n.type.dtype == "i64" and _fraction(a) is not None:
        return ""
    return f"{text}.astype('{n.type.numpy}')"


def _counts(a: Array, n: Node) -> bool:
    """Whether the array's numbers can be the input's, whatever their width is."""
    kind, due = a.dtype.kind, n.type.numpy.kind
    return kind == due or (due != "b" and kind in "iu")


def _fits(shape: tuple[int, ...], wanted: Shape) -> bool:
    if len(shape) != len(wanted):
        return False
    for d, size in zip(wanted, shape, strict=True):
        if d != size and isinstance(d, int):
            return False
    return True


def _fraction(a: Array) -> tuple[int, ...] | None:
    """Where the first number lies that is no whole one of 64 bits."""
    wide = a.astype(np.float64)
    broken = ~((wide == np.floor(wide)) & (np.abs(wide) < 2.0**63))
    return tuple(np.argwhere(broken)[0].tolist()) if broken.any() else None
